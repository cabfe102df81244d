// What many parts show: a status, a link to a task or an agent, a time, a text.
import { html, useEffect, useState } from "../lib.js";
import { read, to } from "../route.js";
import { changed, shown, shownTime, store } from "../store.js";
import { whyNot, wish } from "../steer.js";
import { DOING, STATUSES, line, moment, span, textOf } from "../words.js";

export const Status = ({ status, short }) => html`<span class="status s-${status}">
  <span class="sign" aria-hidden="true">${STATUSES[status] ?? "?"}</span>${short ? html`<span class="sr">${status}</span>` : status}</span>`;

export function Doing({ doing, words }) {
  const [sign, name, colour] = DOING[doing] ?? ["?", doing, "ready"];
  return html`<span class="status s-${colour}" title=${words}><span class="sign" aria-hidden="true">${sign}</span>${name}</span>`;
}

/** A link to a thing, marked while it is open. */
export function Link({ kind, id, tab, find, children, ...more }) {
  const { open } = read();
  const is = open && open.kind === kind && open.id === id;
  return html`<a href=${to(kind, id, tab, find)} aria-current=${is ? "true" : undefined} ...${more}>${children ?? line(id)}</a>`;
}

export const Task = ({ id }) => {
  const row = shown().task(id);
  return html`<${Link} kind="task" id=${id} class="id" title=${row ? `${row.status}: ${line(row.title)}` : undefined}>
    ${row && html`<${Status} status=${row.status} short />`}${line(id)}<//>`;
};

export const Agent = ({ id }) => (shown().agent(id) ? html`<${Link} kind="agent" id=${id} class="who" />` : html`<span class="who">${line(id)}</span>`);

/** How long ago, by the time that is shown. */
export const Ago = ({ ms, word = "" }) =>
  (ms ? html`<time title=${moment(ms)} dateTime=${new Date(ms).toISOString()}>${word}${span(shownTime() - ms)}</time>` : null);

/** A text in which words are marked wherever they are; a text all the same. */
export function Marked({ text, words }) {
  if (!words) return text;
  const [lower, wanted] = [text.toLowerCase(), words.toLowerCase()];
  const parts = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), html`<mark>${text.slice(at, at + words.length)}</mark>`);
    from = at + words.length;
  }
  return [...parts, text.slice(from)];
}

/** A text of an agent, which is a text and nothing else. */
export const Text = ({ text, kind = "" }) => html`<div class="text ${kind}">${textOf(text)}</div>`;

/** A long text, folded. */
export function Folded({ title, text, open, kind = "" }) {
  const words = textOf(text);
  if (!words.trim()) return null;
  return html`<details class="fold" open=${open}><summary>${title}</summary><pre class=${kind}>${words}</pre></details>`;
}

/** A button that steers, and says why it cannot. */
export function Do({ run, children, danger, main, held = "" }) {
  const why = whyNot() || held;
  return html`<button class="do ${danger ? "danger" : ""} ${main ? "main" : ""}" aria-disabled=${why ? "true" : undefined} title=${why || undefined}
    onClick=${() => !why && run()}>${children}</button>`;
}

const RETRY = /^try again: agent-team retry (.+)$/;

/** What helps, and a button where that is another try of what failed. */
export function Remedy({ text }) {
  const failed = (RETRY.exec(text)?.[1].split(" ") ?? []).filter((id) => ["failed", "cancelled"].includes(shown().task(id)?.status));
  return html`<code>${line(text)}</code>${failed.map((id) => html`${" "}<${Do} key=${id} run=${() => wish.retry(id)}>Retry ${line(id)}<//>`)}`;
}

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

/** What is said while an answer is awaited, or in its place. */
export const Awaited = ({ said }) => (said.error
  ? html`<p class="empty bad" role="alert">${line(said.error.message)}${said.error.hint && html`<br />${line(said.error.hint)}`}</p>`
  : html`<p class="empty">Reading…</p>`);

/** As many are seen at a glance: of more some are looked for. */
export const FEW = 12;

/** Whether something has all words of a filter in its texts. */
export function passes(name) {
  const words = store.filters[name].toLowerCase().split(/\s+/).filter(Boolean);
  return (...texts) => words.every((word) => texts.some((text) => text?.toLowerCase().includes(word)));
}

/** The field of a filter. Esc empties it. */
export function Filter({ name, label }) {
  const set = (words) => { store.filters[name] = words; changed(); };
  const key = (event) => {
    if (event.key !== "Escape" || !store.filters[name]) return;
    event.preventDefault();
    set("");
  };
  return html`<input type="search" class="filter" placeholder="Filter  f" aria-label=${label} title=${label} value=${store.filters[name]} onInput=${(event) => set(event.currentTarget.value)} onKeyDown=${key} />`;
}

/** Whether the window is as narrow as a phone. */
export function useNarrow() {
  const [narrow, setNarrow] = useState(() => matchMedia("(max-width: 760px)").matches);
  useEffect(() => {
    const query = matchMedia("(max-width: 760px)");
    const hear = () => setNarrow(query.matches);
    query.addEventListener("change", hear);
    return () => query.removeEventListener("change", hear);
  }, []);
  return narrow;
}

let grouped = { of: null, by: null };

/** The tasks by status; the ended ones newest first, the others by priority. */
export function byStatus(tasks) {
  if (grouped.of === tasks) return grouped.by;
  const by = Object.fromEntries(Object.keys(STATUSES).map((status) => [status, []]));
  for (const row of tasks) by[row.status]?.push(row);
  for (const status of ["completed", "failed", "cancelled"]) by[status].sort((a, b) => b.since_ms - a.since_ms);
  for (const status of ["ready", "running", "blocked"]) by[status].sort((a, b) => b.priority - a.priority);
  for (const status of ["verifying", "reviewing", "merging"]) by[status].sort((a, b) => a.since_ms - b.since_ms);
  grouped = { of: tasks, by };
  return by;
}

/** What waits for the human: plans, questions, results to review. */
export function waitsForYou(picture) {
  const questions = new Set(picture.questions);
  const asked = picture.messages.filter((one) => questions.has(one.id) && (one.to === "human" || one.to === "everyone"));
  const judged = new Set(picture.stuck.filter((one) => one.status === "reviewing").map((one) => one.task));
  const reviews = byStatus(picture.tasks).reviewing.filter((row) => !row.agent);
  const asking = new Set(asked.map((one) => one.task).filter(Boolean));
  return { plans: picture.plans, asking, questions: asked, reviews, mustReview: judged, all: picture.plans.length + asked.length + judged.size };
}
