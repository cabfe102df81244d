// The board: tasks by status.
import { html, Rows, Status, useMemo, useState } from "../base.js";
import { address, read } from "../route.js";
import { STATUSES, count, seen, span } from "../words.js";

const ALWAYS = ["ready", "running", "completed"];
/** What ended is shown newest first. */
const ENDED = ["completed", "failed", "cancelled"];

export function Board({ picture, now, version }) {
  const [words, setWords] = useState("");
  const columns = useMemo(() => {
    const wanted = words.trim().toLowerCase();
    const by = Object.fromEntries(Object.keys(STATUSES).map((status) => [status, []]));
    for (const row of picture.tasks) {
      const text = () => `${row.id} ${row.title} ${row.agent ?? ""} ${row.labels.join(" ")}`.toLowerCase();
      if (!wanted || text().includes(wanted)) by[row.status]?.push(row);
    }
    ENDED.forEach((status) => by[status].sort((one, other) => other.since_ms - one.since_ms));
    return Object.entries(by).filter(([status, rows]) => rows.length || (!wanted && ALWAYS.includes(status)));
  }, [picture, picture.tasks, words, version]);
  return html`<div class="tools"><label class="unseen" for="filter">Filter the board</label>
      <input id="filter" type="search" placeholder="Filter by id, title, agent or label" value=${words} onInput=${(event) => setWords(event.target.value)} />
      <span class="hint">${count(columns.reduce((sum, [, rows]) => sum + rows.length, 0))} of ${count(picture.tasks.length)} tasks</span></div>
    <div class="board">${columns.map(([status, rows]) => html`<section key=${status} class=${`column ${status}`} aria-label=${status}>
      <h3><${Status} of=${status} /> <span class="number">${count(rows.length)}</span></h3>
      <${Rows} items=${rows} height=${62} name=${`${status} tasks`} empty="none" row=${(row) => html`<${Task} row=${row} now=${now} />`} />
    </section>`)}</div>`;
}

function Task({ row, now }) {
  const open = read().open;
  const here = open?.kind === "task" && open.id === row.id;
  const more = [row.agent, row.attempt > 1 ? `attempt ${row.attempt}` : null, row.plan === "waits" ? "plan waits" : null, row.failure].filter(Boolean);
  return html`<a class="task" data-item href=${address({ open: { kind: "task", id: row.id } })} aria-current=${here ? "true" : null}>
    <span class="title">${seen(row.title)}</span>
    <span class="about"><code>${seen(row.id)}</code> ${seen(more.join(" · "))} <span class="since">${span(now - row.since_ms)}</span></span>
  </a>`;
}
