// The page: where one is, what is drawn there, and the keys.
import { Component, html, render, Wrong } from "./base.js";
import { address, go, read, VIEWS } from "./route.js";
import { begin, changed, goTo, listen, shown, store } from "./store.js";
import { add } from "./steer.js";
import { seen } from "./words.js";
import { Agents } from "./parts/agents.js";
import { Board } from "./parts/board.js";
import { Cost } from "./parts/cost.js";
import { Dialog } from "./parts/dialogs.js";
import { Graph } from "./parts/graph.js";
import { help, Header, Slider, turn } from "./parts/header.js";
import { Log } from "./parts/log.js";
import { Merges } from "./parts/merges.js";
import { Messages } from "./parts/messages.js";
import { Panel } from "./parts/panel.js";
import { Search } from "./parts/search.js";
import { Timeline } from "./parts/timeline.js";

const PARTS = { agents: Agents, board: Board, graph: Graph, timeline: Timeline, cost: Cost, messages: Messages, merges: Merges, log: Log, search: Search };

class Page extends Component {
  componentDidMount() {
    this.end = listen(() => this.forceUpdate());
  }

  componentWillUnmount() {
    this.end();
  }

  render() {
    const picture = shown();
    if (!picture) return store.error ? html`<div class="empty"><h1>agent-team</h1><${Wrong} error=${store.error} /></div>` : html`<p class="empty">Reading the log…</p>`;
    const place = read();
    const at = store.at;
    const now = at == null ? store.clock : picture.at_ms;
    const Part = PARTS[place.view];
    document.title = `${picture.counts.completed}/${picture.counts.total} ${picture.name} · agent-team`;
    return html`<div class=${`page ${place.open ? "opened" : ""} ${at == null ? "" : "past"}`}>
      <${Header} picture=${picture} place=${place} now=${now} />
      <div class="middle">
        <main class=${`scrolls in-${place.view}`} aria-label=${place.view}><${Part} picture=${picture} now=${now} at=${at} q=${place.q} version=${place.open?.id} /></main>
        ${place.open ? html`<${Panel} open=${place.open} picture=${picture} at=${at} now=${now} />` : null}
      </div>
      <${Slider} newest=${store.now.records} at=${at} />
      ${store.dialog ? html`<${Dialog} dialog=${store.dialog} />` : null}
      <div class="toasts" role="status" aria-live="polite">${store.toasts.map((one) => html`<p key=${one.id} class=${one.kind}>${seen(one.text)}${one.command ? html`<br /><code>${seen(one.command)}</code>` : null}</p>`)}</div>
    </div>`;
  }

  componentDidUpdate() {
    // How long the first drawing took, for whoever measures it.
    if (!this.drawn && store.now) {
      this.drawn = true;
      performance.mark("team drawn");
    }
  }
}

/** Moves the focus among what can be opened. */
function step(by) {
  const scope = document.activeElement?.closest("aside") ?? document.querySelector("main");
  const all = [...scope.querySelectorAll("[data-item], .plain a, .found a")];
  const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement) + by))];
  next?.focus();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches("input,textarea,select")) {
    if (event.key === "Escape") event.target.blur();
    // A slider has keys of its own, and no letters.
    if (event.target.type !== "range") return;
  }
  if (store.dialog) return;
  const here = store.at ?? store.now?.records ?? 0;
  const back = (to) => go({ at: to >= store.now.records ? null : Math.max(0, to) });
  const does = {
    "/": () => document.getElementById("search")?.focus(),
    "?": help,
    Escape: () => { if (read().open) location.hash = address({ open: null }); },
    j: () => step(1), ArrowDown: event.target.matches("[data-item]") ? () => step(1) : null,
    k: () => step(-1), ArrowUp: event.target.matches("[data-item]") ? () => step(-1) : null,
    "[": () => back(here - 1), "]": () => back(here + 1), 0: () => go({ at: null }),
    n: () => document.querySelector("[data-waits]")?.click(), a: add, t: turn,
  }[event.key] ?? (VIEWS[Number(event.key) - 1] ? () => go({ view: VIEWS[Number(event.key) - 1][0] }) : null);
  if (does) {
    event.preventDefault();
    does();
  }
}

function moved() {
  const { at } = read();
  if (store.now && at !== store.at) goTo(at);
  changed();
}

try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* Nothing is kept here: the system's wish counts. */ }
addEventListener("hashchange", moved);
addEventListener("keydown", keys);
const page = document.getElementById("app");
page.replaceChildren();
render(html`<${Page} />`, page);
await begin();
moved();
