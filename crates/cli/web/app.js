// The page: what stands where. What is in it is in parts/, what is known in store.js, where one is in route.js.
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./lib.js";
import { listenToKeys } from "./keys.js";
import { VIEWS, address, go, read } from "./route.js";
import { ask, begin, goTo, listen, shown, store } from "./store.js";
import { wear } from "./theme.js";
import { count, line } from "./words.js";
import { Later, load, loadAll } from "./later.js";
import { waitsForYou } from "./parts/common.js";
import { Dialogs } from "./parts/dialogs.js";
import { Header } from "./parts/header.js";
import { Slider } from "./parts/slider.js";
import { Toasts } from "./parts/toasts.js";

function Nav({ picture, view }) {
  const many = {
    agents: picture.agents.filter((agent) => !agent.left).length, board: picture.tasks.length, messages: picture.messages.length, log: picture.records,
    merges: picture.tasks.reduce((all, row) => all + (row.status === "merging" || row.status === "reviewing" || row.status === "verifying"), 0),
  };
  const strip = useRef(null);
  // On a phone it is a strip, of which a part is in sight: the present view, with those beside it.
  useEffect(() => strip.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [view]);
  return html`<nav class="views" ref=${strip} aria-label="Views">${VIEWS.map(([name, title], place) => html`<a key=${name} href=${address({ view: name, q: "" })} aria-current=${view === name ? "page" : undefined} title=${`${title}  ${place + 1}`}>
    <span>${title}</span>${many[name] > 0 && html`<span class="n">${count(many[name])}</span>`}</a>`)}</nav>`;
}

/** A part that breaks takes no other one with it. */
function Whole({ children }) {
  const [error, again] = useErrorBoundary((broken) => console.error(broken));
  return error ? html`<p class="empty bad" role="alert">This part of the page broke: ${line(error.message)} <button class="do" onClick=${again}>Try again</button></p>` : children;
}

function NoPicture() {
  const { error } = store;
  if (error?.status === 401) return html`<div class="empty"><h1>This page needs its token</h1><p><code>agent-team web</code> prints the address with it, another one each time it starts. Open that one.</p></div>`;
  if (error) return html`<div class="empty" role="alert"><h1>The team cannot be read</h1><p>${line(error.message)}</p>${error.hint && html`<p>${line(error.hint)}</p>`}<p class="faint">It is tried again.</p></div>`;
  return html`<p class="empty">Reading the log…</p>`;
}

function App() {
  const [, draw] = useState(0);
  const search = useRef(null);
  useEffect(() => listen(() => draw((n) => n + 1)), []);
  useEffect(() => {
    let before = address({ at: null });
    const moved = () => {
      const { at } = read();
      // What a dialog asks is asked of the place where it was opened.
      const here = address({ at: null });
      if (here !== before && store.dialog) ask(null);
      before = here;
      // There is nothing behind the newest record: that is now.
      if (store.now && at != null && at >= store.now.records) go({ at: null }, true);
      else if (store.now) goTo(at);
      draw((n) => n + 1);
    };
    addEventListener("hashchange", moved);
    listenToKeys(search);
    begin().then(moved).then(() => setTimeout(loadAll, 500));
    return () => removeEventListener("hashchange", moved);
  }, []);
  const picture = shown();
  if (!picture || store.error?.status === 401) return html`<${NoPicture} />`;
  const { view, open, stray } = read();
  const waits = waitsForYou(picture).all;
  document.title = `${waits ? `(${waits}) ` : ""}${line(picture.name)}: ${view}`;
  return html`<div class="page ${open ? "with-panel" : ""} ${store.at != null ? "in-past" : ""}">
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("main").focus(); }}>Skip to the view</a>
    <${Header} search=${search} />
    <${Nav} picture=${picture} view=${view} />
    <main id="main" tabindex="-1">${stray && html`<p class="banner warn" role="alert">There is no such page: <code>${line(stray)}</code></p>`}<${Whole} key=${view}><${Later} part=${view} /><//></main>
    ${open && html`<${Whole} key=${`${open.kind} ${open.id}`}><${Later} part="panel" /><//>`}
    <${Slider} />
    <${Toasts} />
    <${Dialogs} />
  </div>`;
}

wear();
// Their files come while the picture does.
const { view, open } = read();
load(view);
if (open) load("panel");
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${App} />`, place);
