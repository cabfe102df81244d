// The records, newest first. Each leads to the team as it was then.
import { get } from "../api.js";
import { html, Link, useEffect, useState, Wrong } from "../base.js";
import { address } from "../route.js";
import { clock, seen } from "../words.js";

export function Log({ picture, task }) {
  const [known, setKnown] = useState({ rows: [], end: false, error: null });
  const ask = (before) => get("records", null, { ...(before ? { before } : {}), ...(task ? { task } : {}) });
  // The newest come anew with each change; what is older stays.
  useEffect(() => {
    let gone = false;
    ask(picture.records + 1).then((rows) => {
      if (gone) return;
      setKnown((before) => {
        const last = rows.length ? rows[rows.length - 1].seq : 0;
        const older = before.rows.filter((row) => row.seq < last);
        return { rows: [...rows, ...older], end: rows.length < 200 || before.end, error: null };
      });
    }, (error) => gone || setKnown((before) => ({ ...before, error })));
    return () => { gone = true; };
  }, [picture.records, task]);
  const older = async () => {
    const rows = await ask(known.rows[known.rows.length - 1].seq);
    setKnown({ rows: [...known.rows, ...rows], end: rows.length < 200, error: null });
  };
  const rows = known.rows.filter((row) => row.seq <= picture.records);
  return html`${known.error ? html`<${Wrong} error=${known.error} />` : null}
    <table class="log"><thead><tr><th>record</th><th>time</th><th>by</th><th>kind</th><th>task</th><th>what</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.seq} class=${row.outcome}>
      <td class="number"><a data-item href=${address({ at: row.seq })} title="the team as it was then">${row.seq}</a></td><td class="number">${clock(row.at_ms)}</td><td>${seen(row.by ?? "")}</td>
      <td><code>${seen(row.kind)}</code>${row.outcome === "effective" ? "" : ` (${row.outcome})`}</td>
      <td>${row.task ? html`<${Link} kind="task" id=${row.task} />` : null}</td><td class="wide">${seen(row.summary)}</td>
    </tr>`)}</tbody></table>
    ${known.end || !rows.length ? null : html`<button onClick=${older}>Older ones</button>`}`;
}
