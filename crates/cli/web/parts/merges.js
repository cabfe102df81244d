// The way to the target branch: what is checked, reviewed and merged, and what the gate said last.
import { html } from "../lib.js";
import { shown } from "../store.js";
import { count, textOf } from "../words.js";
import { Ago, Empty, Status, Task, byStatus } from "./common.js";
import { HEIGHT, TaskCard } from "./board.js";
import { Rows } from "./list.js";

const COLUMNS = [["verifying", "Being checked"], ["reviewing", "Being reviewed"], ["merging", "In the merge queue"], ["completed", "Done"]];

export function Merges() {
  const { gate, tasks } = shown();
  const by = byStatus(tasks);
  const { last } = gate;
  return html`<section class="merges">
    <div class="gate card">
      <h2>Gate</h2>
      ${gate.command ? html`<p>What must hold on the target branch at all times: <code>${textOf(gate.command)}</code></p>`
    : html`<p class="faint">No gate is set. <code>run --gate COMMAND</code> sets one.</p>`}
      ${last ? html`<p><span class="status s-${last.passed ? "completed" : "failed"}"><span class="sign" aria-hidden="true">${last.passed ? "✓" : "✗"}</span>${last.passed ? "merged" : "refused"}</span>${" "}
        <${Task} id=${last.task} /> <${Ago} ms=${last.at_ms} /> ago</p>
        ${last.output && html`<details class="fold" open><summary>What the gate said</summary><pre>${textOf(last.output)}</pre></details>`}`
    : html`<p class="faint">Nothing was merged yet.</p>`}
    </div>
    <div class="board">${COLUMNS.map(([status, title]) => html`<section key=${status} class="column c-${status}" aria-label=${`${title}: ${by[status].length}`}>
      <h3><${Status} status=${status} /><span class="faint">${title}</span><span class="n">${count(by[status].length)}</span></h3>
      ${by[status].length ? html`<${Rows} items=${by[status]} height=${HEIGHT} name=${(row) => row.id} label=${title} row=${(row) => html`<${TaskCard} row=${row} />`} />` : html`<${Empty}>None<//>`}
    </section>`)}</div>
  </section>`;
}
