// What stands above everything: the team, how far it is, what it cost, and what waits for you.
import { html, useState } from "../base.js";
import { address, go, VIEWS } from "../route.js";
import { add, answer, pause, plan, resume, review, why } from "../steer.js";
import { changed, goTo, store } from "../store.js";
import { STATUSES, count, firstLine, seen, span, spent } from "../words.js";

export function Header({ picture, place, now }) {
  return html`<header class="top">
    <h1><a href=${address({ view: "agents", open: null })}>${seen(picture.name)}</a></h1>
    <p class="goal" title=${seen(picture.goal?.goal ?? "")}>${seen(firstLine(picture.goal?.goal ?? ""))}</p>
    <${Find} q=${place.q} />
    <${Connection} picture=${picture} />
    <p class="buttons">
      ${isHeld(picture) ? html`<button class="main" disabled=${Boolean(why())} onClick=${() => resume()}>Resume the team</button>` : html`<button disabled=${Boolean(why())} title=${why()} onClick=${() => pause()}>Pause</button>`}
      <button disabled=${Boolean(why())} title=${why()} onClick=${add}>Add a task</button>
      <button onClick=${turn} aria-label="dark or light" title="dark or light (t)">◐</button>
      <button onClick=${help} aria-label="keys" title="keys (?)">?</button>
    </p>
  </header>
  <${Progress} picture=${picture} />
  <${Waiting} picture=${picture} now=${now} />
  <nav aria-label="views">${VIEWS.map(([name, words], number) => html`<a key=${name} href=${address({ view: name, open: place.open })} aria-current=${place.view === name ? "page" : null} title=${`${words} (${number + 1})`}>${words}</a>`)}</nav>`;
}

const isHeld = (picture) => picture.pauses.some((pause) => !pause.agent);

/** Help can be read in the past as well, where nothing can be done. */
export function help() {
  store.dialog = { kind: "help", title: "Keys" };
  changed();
}

/** From dark to light and back; it stays so. */
export function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* Then it is forgotten. */ }
}

function Find({ q }) {
  const [words, setWords] = useState(q);
  const find = (event) => {
    event.preventDefault();
    if (words.trim()) go({ view: "search", q: words.trim(), open: null });
  };
  return html`<form role="search" onSubmit=${find}><label class="unseen" for="search">Search everything</label>
    <input id="search" type="search" placeholder="Search everything  /" value=${words} onInput=${(event) => setWords(event.target.value)} /></form>`;
}

function Connection({ picture }) {
  const [kind, words] = store.at != null ? ["past", `record ${count(picture.records)} of ${count(store.now.records)}`]
    : store.connection === "live" ? ["live", picture.read_only ? "read-only" : "live"] : ["lost", store.connection];
  return html`<p class=${`connection ${kind}`} role="status"><span aria-hidden="true">●</span> ${words}${store.at != null ? html` <button onClick=${() => go({ at: null })}>Back to now</button>` : null}</p>`;
}

const ORDER = ["completed", "merging", "reviewing", "verifying", "running", "ready", "blocked", "failed", "cancelled"];

/** How many tasks there are of each status; those of the rows, since there are more statuses than counts. */
export function numbers(picture) {
  const numbers = Object.fromEntries(Object.keys(STATUSES).map((status) => [status, 0]));
  for (const row of picture.tasks) numbers[row.status] += 1;
  return numbers;
}

function Progress({ picture }) {
  const by = numbers(picture);
  const total = picture.tasks.length;
  const there = ORDER.filter((status) => by[status]);
  const words = there.map((status) => `${count(by[status])} ${status}`).join(", ");
  const money = spent(picture.spent);
  const limit = picture.budgets.find((budget) => budget.account === "team" && budget.used_percent != null);
  return html`<div class="progress">
    <div class="whole" role="img" aria-label=${words || "no tasks"}>${there.map((status) => html`<i key=${status} class=${status} style=${{ flexGrow: by[status] }} title=${`${by[status]} ${status}`} />`)}</div>
    <p><b>${count(by.completed)} of ${count(total)} done</b>${there.filter((status) => status !== "completed").map((status) => html` · <span class=${`state ${status}`}>${STATUSES[status][0]} ${count(by[status])} ${status}</span>`)}
      <span class="spent">${money ? ` ${money}` : ""}${limit ? ` · ${limit.used_percent}% of the budget` : ""}</span></p>
  </div>`;
}

function Waiting({ picture, now }) {
  const reviews = picture.stuck.filter((one) => one.status === "reviewing").map((one) => one.task);
  const button = (key, words, does) => html`<button key=${key} data-waits class="main" disabled=${Boolean(why())} onClick=${does}>${words}</button>`;
  const all = [
    ...picture.plans.map((task) => button(`p${task}`, `Plan of ${task}`, () => plan(task))),
    ...picture.questions.map((id) => picture.messages.find((message) => message.id === id)).filter(Boolean).map((message) => button(`q${message.id}`, `${message.from} asks`, () => answer(message))),
    ...reviews.map((task) => button(`r${task}`, `Result of ${task}`, () => review(task))),
  ];
  const notes = [];
  for (const pause of picture.pauses) notes.push(`${pause.agent ? pause.agent : "The team"} ${pause.stopped ? "was stopped" : "is paused"}${pause.reason ? `: ${pause.reason}` : ""}`);
  for (const limit of picture.limited) if (limit.until_ms > now) notes.push(`${limit.model} takes no calls for ${span(limit.until_ms - now)}: ${limit.reason}`);
  for (const one of picture.stuck.filter((stuck) => stuck.status !== "reviewing").slice(0, 3)) notes.push(`${one.task} waits for ${one.reason}${one.remedy ? ` — ${one.remedy}` : ""}`);
  if (!all.length && !notes.length) return null;
  return html`<div class="waiting">${all.length ? html`<p class="buttons"><b>Waits for you:</b> ${all.slice(0, 8)}${all.length > 8 ? ` and ${all.length - 8} more` : ""}</p>` : null}
    ${notes.slice(0, 4).map((note) => html`<p class="note">${seen(note)}</p>`)}</div>`;
}

/** The slider through the log. */
export function Slider({ newest, at }) {
  const here = at ?? newest;
  const step = (by) => go({ at: Math.max(0, here + by) >= newest ? null : Math.max(0, here + by) });
  return html`<footer class="slider">
    <button onClick=${() => step(-1)} aria-label="one record back" title="one record back ([)">‹</button>
    <input type="range" min="0" max=${newest} value=${here} aria-label="the team after this record" aria-valuetext=${`record ${here} of ${newest}`} onInput=${(event) => slide(Number(event.target.value), newest)} />
    <button onClick=${() => step(1)} disabled=${at == null} aria-label="one record forward" title="one record forward (])">›</button>
    <output>${at == null ? `now · record ${count(newest)}` : `record ${count(here)} of ${count(newest)} · ${store.past ? new Date(store.past.at_ms).toLocaleString([], { hour12: false }) : ""}`}</output>
    <button onClick=${() => go({ at: null })} disabled=${at == null}>Now</button>
  </footer>`;
}

let sliding = null;

/** Moves with the hand, and asks only for where it rests a moment. */
function slide(to, newest) {
  clearTimeout(sliding);
  sliding = setTimeout(() => {
    history.replaceState(null, "", address({ at: to >= newest ? null : to }));
    goTo(to >= newest ? null : to);
  }, 40);
}
