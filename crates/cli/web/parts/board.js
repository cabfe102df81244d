// The tasks by status.
import { html, useMemo, useState } from "../lib.js";
import { shown, store } from "../store.js";
import { FAILURES, FIRST, STATUSES, count, line, money, plural } from "../words.js";
import { Ago, Empty, FEW, Filter, Link, Status, byStatus, passes, useNarrow, waitsForYou } from "./common.js";
import { Rows } from "./list.js";

/** How high a card is, with what is between two. */
export const HEIGHT = 100;

/** What is special about a task, in a few words. */
function marks(row) {
  const said = [];
  if (waitsForYou(shown()).asking.has(row.id)) said.push(["you", "asks you"]);
  if (row.plan === "waits") said.push(["you", "plan waits"]);
  if (row.plan === "rejected") said.push(["bad", "plan rejected"]);
  if (row.failure) said.push(["bad", FAILURES[row.failure]?.[0] ?? row.failure]);
  if (row.attempt > 1) said.push(["", `attempt ${row.attempt}`]);
  if (row.priority) said.push(["", row.priority === FIRST ? "first" : `priority ${row.priority}`]);
  if (row.delegate) said.push(["", "in parts"]);
  const whom = row.for_agent ?? row.skill ?? row.role;
  if (whom && !row.agent) said.push(["", `for ${line(whom)}`]);
  if (row.status === "blocked" && row.after.length) said.push(["", `after ${row.after.length > 1 ? row.after.length : line(row.after[0])}`]);
  for (const label of row.labels.slice(0, 2)) said.push(["", line(label)]);
  return said.slice(0, 3);
}

export const TaskCard = ({ row }) => html`<${Link} kind="task" id=${row.id} class="task-card" data-row title=${line(row.title)}>
  <span class="top"><span class="id">${line(row.id)}</span><${Ago} ms=${row.since_ms} /></span>
  <span class="title">${line(row.title)}</span>
  <span class="below">${row.agent && html`<span class="who">${line(row.agent)}</span>`}
    ${marks(row).map(([kind, words]) => html`<span class="mark ${kind}" key=${words}>${words}</span>`)}
    ${row.micro_usd > 0 && html`<span class="cost">${money(row.micro_usd)}</span>`}</span><//>`;

function Column({ status, rows }) {
  return html`<section class="column c-${status}" aria-label=${`${status}: ${rows.length}`}>
    <h3><${Status} status=${status} /><span class="n">${count(rows.length)}</span></h3>
    <${Rows} items=${rows} height=${HEIGHT} name=${(row) => row.id} label=${status} row=${(row) => html`<${TaskCard} row=${row} />`} />
  </section>`;
}

export function Board() {
  const { tasks } = shown();
  const narrow = useNarrow();
  const [chosen, choose] = useState(null);
  const grouped = byStatus(tasks);
  const by = useMemo(() => {
    if (!store.filters.board) return grouped;
    const pass = passes("board");
    return Object.fromEntries(Object.entries(grouped).map(([status, rows]) => [status, rows.filter((row) => pass(row.id, row.title, row.agent, row.for_agent, ...row.labels))]));
  }, [grouped, store.filters.board]);
  if (!tasks.length) return html`<${Empty}>No tasks yet. <code>agent-team add 'Title'</code> adds one, and so does “Add task” above.<//>`;
  const many = Object.values(by).reduce((sum, rows) => sum + rows.length, 0);
  const tools = tasks.length > FEW && html`<div class="tools"><${Filter} name="board" label="Filter by id, title, agent or label" /><span class="faint" role="status">${plural(many, "task")}</span></div>`;
  const all = Object.keys(STATUSES);
  if (narrow) {
    const status = chosen ?? ["running", "ready", "completed"].find((one) => by[one].length) ?? all.find((one) => by[one].length) ?? "ready";
    return html`<section class="full">${tools}<div class="board one">
      <div class="tabs" role="group" aria-label="Status">${all.filter((one) => by[one].length || one === status).map((one) => html`
        <button key=${one} aria-pressed=${one === status} onClick=${() => choose(one)}><${Status} status=${one} /> ${count(by[one].length)}</button>`)}</div>
      <${Column} key=${status} status=${status} rows=${by[status]} /></div></section>`;
  }
  return html`<section class="full">${tools}<div class="board">${all.map((status) => (by[status].length
    ? html`<${Column} key=${status} status=${status} rows=${by[status]} />`
    : html`<section key=${status} class="column none" aria-label=${`${status}: none`}><h3><${Status} status=${status} /><span class="n">0</span></h3></section>`))}</div></section>`;
}
