// Who worked on what and when; where agents waited; and the critical path, which is what made it take so long.
import { get } from "../api.js";
import { html, Link, useAsked, useMemo, useState, Wrong } from "../base.js";
import { address } from "../route.js";
import { clock, seen, span } from "../words.js";

const ROW = 26;
const WIDE = 1000;
/** How many bars are drawn: those that take longest. */
const BARS = 4000;

export function Timeline({ picture, at }) {
  // It is asked for anew as the team goes on, and not more often than it can be read.
  const { value, error } = useAsked(() => get("timeline", at), [picture.live ? Math.floor(picture.records / 3) : picture.records]);
  if (error && !value) return html`<${Wrong} error=${error} />`;
  if (!value) return html`<p class="empty">Reading…</p>`;
  if (!value.stretches.length) return html`<p class="empty">Nobody has worked yet.</p>`;
  return html`<${Chart} of=${value} picture=${picture} />`;
}

/** The rows: one for each agent, more where it did several things at once. */
function lanes(stretches, end) {
  const rows = [];
  const by = new Map();
  for (const stretch of stretches) {
    const mine = by.get(stretch.agent) ?? [];
    by.set(stretch.agent, mine);
    let row = mine.find((one) => one.end <= stretch.from_ms);
    if (!row) {
      row = { agent: stretch.agent, first: !mine.length, end: 0, bars: [] };
      mine.push(row);
    }
    row.bars.push(stretch);
    row.end = stretch.to_ms ?? end;
  }
  [...by.keys()].sort((one, other) => one.localeCompare(other, undefined, { numeric: true })).forEach((agent) => rows.push(...by.get(agent)));
  return rows;
}

function Chart({ of, picture }) {
  const [zoom, setZoom] = useState([0, 1]);
  const critical = useMemo(() => new Set(of.critical), [of]);
  const total = Math.max(1, of.to_ms - of.from_ms);
  const [begin, end] = [of.from_ms + total * zoom[0], of.from_ms + total * zoom[1]];
  const rows = useMemo(() => {
    const most = of.stretches.length > BARS ? [...of.stretches].sort((one, other) => long(other, of) - long(one, of)).slice(0, BARS).sort((one, other) => one.from_ms - other.from_ms) : of.stretches;
    return lanes(most, of.to_ms);
  }, [of]);
  const x = (ms) => ((ms - begin) / (end - begin)) * WIDE;
  const ticks = Array.from({ length: 6 }, (_, place) => begin + ((end - begin) * place) / 5);
  const zoomBy = (factor) => {
    const middle = (zoom[0] + zoom[1]) / 2;
    const half = Math.min(0.5, Math.max(0.002, ((zoom[1] - zoom[0]) / 2) * factor));
    const from = Math.min(Math.max(0, middle - half), 1 - 2 * half);
    setZoom([from, from + 2 * half]);
  };
  const shift = (part) => {
    const wide = zoom[1] - zoom[0];
    const from = Math.min(1 - wide, Math.max(0, zoom[0] + wide * part));
    setZoom([from, from + wide]);
  };
  const name = (id) => seen(picture.task(id)?.title ?? "");
  return html`<div class="tools" role="group" aria-label="zoom">
      <button onClick=${() => zoomBy(0.5)} aria-label="closer">+</button><button onClick=${() => zoomBy(2)} aria-label="farther">−</button>
      <button onClick=${() => shift(-0.5)} aria-label="earlier">←</button><button onClick=${() => shift(0.5)} aria-label="later">→</button><button onClick=${() => setZoom([0, 1])}>All</button>
      <span class="legend"><i class="bar work" /> work <i class="bar verify" /> check <i class="bar review" /> review <i class="bar merge" /> merge <i class="bar badly" /> did not succeed <i class="bar waits" /> waited <i class="bar critical" /> critical path</span>
    </div>
    <div class="timeline">
      <div class="names">${rows.map((row) => html`<div>${row.first ? (row.agent === "orchestrator" ? "the run" : html`<${Link} kind="agent" id=${row.agent} />`) : ""}</div>`)}</div>
      <svg viewBox=${`0 0 ${WIDE} ${rows.length * ROW}`} height=${rows.length * ROW} preserveAspectRatio="none" role="group" aria-label="who worked on what, and when">
        ${ticks.map((ms) => html`<path class="tick" d=${`M${x(ms)} 0V${rows.length * ROW}`} vector-effect="non-scaling-stroke" />`)}
        ${rows.map((row, place) => html`<g key=${place} transform=${`translate(0 ${place * ROW})`}>
          ${row.bars.map((bar, number) => {
            const to = bar.to_ms ?? of.to_ms;
            const before = number ? row.bars[number - 1] : null;
            const gap = before && row.agent !== "orchestrator" ? bar.from_ms - (before.to_ms ?? of.to_ms) : 0;
            if (to < begin || bar.from_ms > end) return null;
            const well = !bar.ending || bar.ending === "done";
            const words = `${bar.task}: ${name(bar.task)}\n${bar.stage}, attempt ${bar.attempt}, ${span(to - bar.from_ms)} from ${clock(bar.from_ms)}${bar.ending ? `, ${bar.ending.replace(/_/g, " ")}` : ", under way"}`;
            return html`${gap > (end - begin) / 200 ? html`<rect class="bar waits" x=${x(before.to_ms)} y="11" width=${Math.max(0, x(bar.from_ms) - x(before.to_ms))} height="4"><title>${`${row.agent} waited ${span(gap)}`}</title></rect>` : null}
              <a href=${address({ open: { kind: "task", id: bar.task } })} aria-label=${words} data-item>
                <rect class=${`bar ${bar.stage} ${well ? "" : "badly"} ${critical.has(bar.task) && bar.stage === "work" && well ? "critical" : ""}`} x=${x(bar.from_ms)} y="4" width=${Math.max(2, x(to) - x(bar.from_ms))} height="18" vector-effect="non-scaling-stroke"><title>${words}</title></rect>
              </a>`;
          })}
        </g>`)}
      </svg>
      <div class="names" /><div class="ticks">${ticks.map((ms) => html`<span>${clock(ms)}</span>`)}</div>
    </div>
    ${of.stretches.length > BARS ? html`<p class="hint">Of ${of.stretches.length} stretches of work the ${BARS} longest are drawn.</p>` : null}
    <section><h3>The critical path <span class="number">${of.critical.length}</span></h3>
      <p class="hint">Each of these waited for the one before it, back from the one that ended last. What would make one of them shorter would have made all of it shorter.</p>
      <ol class="path">${of.critical.map((id) => html`<li><${Link} kind="task" id=${id} /> ${name(id)} <span class="since">${span(worked(of, id))}</span></li>`)}</ol>
    </section>`;
}

const long = (stretch, of) => (stretch.to_ms ?? of.to_ms) - stretch.from_ms;
const worked = (of, id) => of.stretches.filter((stretch) => stretch.task === id).reduce((sum, stretch) => sum + long(stretch, of), 0);
