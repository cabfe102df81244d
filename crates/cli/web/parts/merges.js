// What stands between a result and the target branch.
import { html, Link, Status } from "../base.js";
import { ask, plan, review, why } from "../steer.js";
import { clock, seen, span, textOf } from "../words.js";

const STAGES = [
  ["verifying", "Its check is run, or waits to be"], ["reviewing", "A reviewer reads it, or is waited for"], ["merging", "It is put onto the newest tip, checked and gated, or waits for its turn"],
];

export function Merges({ picture, now }) {
  const { gate } = picture;
  const merged = picture.tasks.filter((row) => row.status === "completed").sort((one, other) => other.since_ms - one.since_ms).slice(0, 30);
  return html`<div class="merges">
    <section><h3>The gate</h3>
      ${gate.command ? html`<p>Must hold on the target branch at all times: <code>${seen(gate.command)}</code></p>` : html`<p class="hint">There is none.</p>`}
      ${gate.last ? html`<p>${gate.last.passed ? "✓ merged" : "✗ refused"} <${Link} kind="task" id=${gate.last.task} /> at ${clock(gate.last.at_ms)}</p>
        ${gate.last.output ? html`<pre class="text">${textOf(gate.last.output)}</pre>` : null}` : null}
    </section>
    ${STAGES.map(([status, words]) => {
      const rows = picture.tasks.filter((row) => row.status === status);
      return html`<section key=${status}><h3><${Status} of=${status} /> <span class="number">${rows.length}</span></h3><p class="hint">${words}.</p>
        <${Table} rows=${rows} now=${now} act=${status === "reviewing" ? review : null} /></section>`;
    })}
    <section><h3><${Status} of="completed" /> last</h3><${Table} rows=${merged} now=${now} /></section>
  </div>`;
}

function Table({ rows, now, act }) {
  if (!rows.length) return html`<p class="empty">none</p>`;
  return html`<table><tbody>${rows.map((row) => html`<tr key=${row.id}>
    <td><${Link} kind="task" id=${row.id} /></td><td class="wide">${seen(row.title)}</td><td>${seen(row.agent ?? "")}</td><td class="number">${span(now - row.since_ms)}</td>
    ${act ? html`<td><button disabled=${Boolean(why())} onClick=${() => act(row.id)}>Read and judge</button></td>` : null}
  </tr>`)}</tbody></table>`;
}
