// Who did what, when: a row for each agent, a bar for each stretch of work, what lies between them, and the critical path.
import { html, useLayoutEffect, useMemo, useRef, useState } from "../lib.js";
import { to } from "../route.js";
import { shown, shownTime, store, useAsked } from "../store.js";
import { STAGES, clock, line, moment, span } from "../words.js";
import { Agent, Awaited, Empty, Task } from "./common.js";

/** Narrower bars are drawn as one. */
const LEAST = 3;

/** What of a stretch its agent waited for somebody's word. */
function held(one, waits, now) {
  const [from, until] = [one.from_ms, one.to_ms ?? now];
  return (waits.get(`${one.agent} ${one.task}`) ?? []).map((wait) => [Math.max(from, wait.from_ms), Math.min(until, wait.to_ms ?? now)])
    .filter(([begin, end]) => one.stage === "work" && end > begin);
}

const sum = (parts) => parts.reduce((all, [begin, end]) => all + end - begin, 0);

/** The stretches of each agent in lanes, so that none covers another. */
function lanes(stretches, now) {
  const agents = new Map();
  for (const one of stretches) {
    const row = agents.get(one.agent) ?? { agent: one.agent, lanes: [] };
    agents.set(one.agent, row);
    const lane = row.lanes.find((known) => (known.at(-1).to_ms ?? now) <= one.from_ms);
    if (lane) lane.push(one);
    else row.lanes.push([one]);
  }
  return [...agents.values()];
}

/** When an agent held nothing. */
function gaps(row, now) {
  const all = row.lanes.flat().sort((a, b) => a.from_ms - b.from_ms);
  const found = [];
  let end = all[0].from_ms;
  for (const one of all) {
    if (one.from_ms - end > 0) found.push([end, one.from_ms]);
    end = Math.max(end, one.to_ms ?? now);
  }
  return found;
}

/** A lane's bars in sight; those too narrow to see become one. */
function bars(lane, place, now, from, until) {
  const drawn = [];
  for (const one of lane) {
    const [left, right] = [place(one.from_ms), place(one.to_ms ?? now)];
    if (right < from || left > until) continue;
    const last = drawn.at(-1);
    if (last && right - left < LEAST && last.right - last.left < 12 && left - last.right < LEAST) {
      last.many += 1;
      last.right = Math.max(last.right, right);
    } else drawn.push({ one, left, right, many: 1 });
  }
  return drawn;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];

function Ticks({ from, long, width, place }) {
  const step = (STEPS.find((seconds) => (seconds * 1000 * width) / long > 90) ?? 2592000) * 1000;
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= from + long && ticks.length < 400; at += step) ticks.push(at);
  return html`<div class="ticks" aria-hidden="true">${ticks.map((at) => html`<span key=${at} style=${{ left: `${place(at)}px` }}>${step >= 86400000 ? moment(at).slice(5, 10) : clock(at).slice(0, step < 60000 ? 8 : 5)}</span>`)}</div>`;
}

function Row({ row, place, now, sight, critical, waits }) {
  const waited = gaps(row, now);
  return html`<div class="lane-row" role="listitem" style=${{ height: `${row.lanes.length * 26 + 8}px` }}>
    ${waited.map(([from, until]) => {
    const [left, right] = [place(from), place(until)];
    if (right - left < 4 || right < sight[0] || left > sight[1]) return null;
    return html`<span key=${`w${from}`} class="waited" style=${{ left: `${left}px`, width: `${right - left}px` }} title=${`${line(row.agent)} had no task for ${span(until - from)}, from ${moment(from)}`}>
      ${right - left > 74 && `waited ${span(until - from)}`}</span>`;
  })}
    ${row.lanes.map((lane, deep) => bars(lane, place, now, ...sight).map(({ one, left, right, many }) => {
    const goes = one.to_ms == null;
    const parts = many > 1 ? [] : held(one, waits, now);
    const words = many > 1 ? `${many} stretches of work` : `${line(one.task)}, ${STAGES[one.stage] ?? one.stage}, attempt ${one.attempt}, ${span((one.to_ms ?? now) - one.from_ms)}${goes ? ", " : ": "}${line(one.words)}${parts.length ? `; waited ${span(sum(parts))} of it for somebody's word` : ""}`;
    const style = { left: `${left}px`, width: `${Math.max(LEAST, right - left - 1)}px`, top: `${deep * 26 + 4}px` };
    const kind = `bar-of st-${one.stage} e-${one.outcome} ${critical.has(one.task) && many === 1 && one.stage === "work" ? "critical" : ""}`;
    if (many > 1) return html`<span key=${`${deep} ${one.from_ms}`} class="${kind} many" style=${style} title=${words}></span>`;
    return html`<a key=${`${one.task} ${one.from_ms} ${one.stage}`} class=${kind} href=${to("task", one.task)} data-row style=${style} title=${words} aria-label=${`${line(one.agent)}: ${words}`}>
      ${parts.map(([begin, end]) => html`<i key=${begin} class="word" style=${{ left: `${place(begin) - left}px`, width: `${place(end) - place(begin)}px` }}></i>`)}
      ${right - left > 34 && html`<span>${one.stage === "work" ? "" : `${STAGES[one.stage]} `}${line(one.task)}</span>`}</a>`;
  }))}
  </div>`;
}

/** The critical path as a list: how long each task waited for the one before it, and took. */
function Path({ critical, stretches, waits, now, goesOn }) {
  const of = useMemo(() => {
    const by = new Map(critical.map((id) => [id, { from: Infinity, to: 0, work: 0 }]));
    for (const one of stretches) {
      const known = by.get(one.task);
      if (!known) continue;
      known.from = Math.min(known.from, one.from_ms);
      known.to = Math.max(known.to, one.to_ms ?? now);
      if (one.stage === "work") known.work += (one.to_ms ?? now) - one.from_ms - sum(held(one, waits, now));
    }
    return by;
  }, [critical, stretches, waits]);
  let end = null;
  return html`<div class="path"><h3>Critical path <span class="faint">each of these waited for the one before it; ${goesOn ? "the last one goes on now" : "what shortens one of them shortens the whole"}</span></h3>
    <ol data-list>${critical.slice(0, 100).map((id) => {
    const { from, to: until, work } = of.get(id);
    const waited = end != null ? from - end : 0;
    end = until;
    const row = shown().task(id);
    return html`<li key=${id}>${waited > 1000 && html`<span class="faint">waited ${span(waited)}, then </span>`}<${Task} id=${id} /> <span class="faint">${row && line(row.title)}</span>
      ${Number.isFinite(from) && html` <b>${span(until - from)}</b> <span class="faint">(${span(work)} of work)</span>`}</li>`;
  })}${critical.length > 100 && html`<li class="faint">and ${critical.length - 100} more</li>`}</ol></div>`;
}

const LEGEND = [
  ["bar-of st-work", "work"], ["bar-of st-verify", "check"], ["bar-of st-review", "review"], ["bar-of st-merge", "merge"],
  ["bar-of st-work e-failed", "failed or sent back"], ["bar-of st-review e-refused", "said no"], ["waited", "had no task"],
  ["bar-of st-work waits", "waited for a word"], ["bar-of st-work critical", "critical path"],
];

export function Timeline() {
  const picture = shown();
  const said = useAsked("timeline", { at: store.at }, picture.records, 700);
  const [zoom, setZoom] = useState(1);
  const [sight, setSight] = useState({ left: 0, wide: 1100 });
  const box = useRef(null);
  const stretches = said.value?.stretches;
  // Where a run was cut off nothing goes on since it wrote last.
  const cutOff = picture.runs.at(-1)?.to_ms === null && !picture.is_run;
  const goesOn = !cutOff && stretches?.some((one) => one.to_ms == null);
  const now = goesOn ? Math.max(shownTime(), said.value.to_ms) : said.value?.to_ms ?? 0;
  const rows = useMemo(() => (stretches ? lanes(stretches, now) : []), [stretches]);
  const waits = useMemo(() => {
    const by = new Map();
    for (const wait of said.value?.waits ?? []) {
      const key = `${wait.agent} ${wait.task}`;
      by.set(key, [...(by.get(key) ?? []), wait]);
    }
    return by;
  }, [said.value]);
  const critical = useMemo(() => new Set(said.value?.critical), [said.value]);
  const look = () => {
    const { scrollLeft: left, clientWidth: wide } = box.current;
    setSight((known) => (known.left === left && known.wide === wide ? known : { left, wide }));
  };
  const there = Boolean(stretches?.length);
  useLayoutEffect(() => {
    if (!there) return undefined;
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [there]);
  if (!said.value) return html`<${Awaited} said=${said} />`;
  if (!stretches.length) return html`<${Empty}>Nobody has worked on anything yet.<//>`;
  const from = said.value.from_ms;
  const long = Math.max(1000, now - from);
  const { wide } = sight;
  const width = Math.max(200, wide - 12) * zoom;
  const place = (ms) => ((ms - from) / long) * width;
  const set = (next) => {
    const middle = (box.current.scrollLeft + wide / 2) / width;
    const factor = Math.min(400, Math.max(1, next));
    setZoom(factor);
    requestAnimationFrame(() => { box.current.scrollLeft = middle * Math.max(200, wide - 12) * factor - wide / 2; look(); });
  };
  const inSight = [sight.left - 300, sight.left + wide + 300];
  return html`<section class="scroll timeline"><h2 class="sr">Timeline</h2>
    <div class="tools"><span class="key">${LEGEND.map(([kind, words]) => html`<span key=${words}><i class=${kind}>${kind === "bar-of st-work waits" && html`<i class="word"></i>`}</i>${words} </span>`)}</span>
      <span class="faint">${span(long)}, from ${moment(from)}</span>
      <span class="buttons"><button class="icon" onClick=${() => set(zoom * 2)} aria-label="Larger">+</button><button class="icon" onClick=${() => set(zoom / 2)} aria-label="Smaller" disabled=${zoom === 1}>−</button>
        <button class="icon" onClick=${() => set(1)} aria-label="All of it">⤢</button></span></div>
    <div class="lanes">
      <div class="lane-names"><div class="ticks"></div>${rows.map((row) => html`<div key=${row.agent} style=${{ height: `${row.lanes.length * 26 + 8}px` }}><${Agent} id=${row.agent} /></div>`)}</div>
      <div class="lane-box" ref=${box} onScroll=${look} tabindex="0" role="group" aria-label="Timeline">
        <div class="lane-all" role="list" data-list style=${{ width: `${width}px` }}><${Ticks} from=${from} long=${long} width=${width} place=${place} />
          ${rows.map((row) => html`<${Row} key=${row.agent} row=${row} place=${place} now=${now} sight=${inSight} critical=${critical} waits=${waits} />`)}</div></div>
    </div>
    ${said.value.critical.length > 0 && html`<${Path} critical=${said.value.critical} stretches=${stretches} waits=${waits} now=${now} goesOn=${goesOn} />`}
  </section>`;
}
