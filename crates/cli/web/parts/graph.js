// The tasks and what they wait for, laid out. Of many tasks a part is shown, and it is said which.
import { html, useEffect, useMemo, useRef, useState } from "../lib.js";
import { read, to } from "../route.js";
import { shown } from "../store.js";
import { STATUSES, count, line } from "../words.js";
import { Empty } from "./common.js";

/** More boxes than these nobody reads, and no layout is quick. */
const MOST = 400;
/** So many are shown of what lies around something. */
const NEAR = 120;
const [WIDTH, HEIGHT] = [190, 46];

/** All tasks with arrows between them: dependencies, from parts to what they are parts of, and from failures to what plans them anew. */
function arrows(tasks) {
  const after = new Map(tasks.map((row) => [row.id, row.after.slice()]));
  for (const row of tasks) if (row.parent && after.has(row.parent)) after.get(row.parent).push(row.id);
  for (const row of tasks) if (after.has(row.replans)) after.get(row.id).push(row.replans);
  const before = new Map();
  for (const [id, needs] of after) for (const need of needs) {
    if (!before.has(need)) before.set(need, []);
    before.get(need).push(id);
  }
  return { after, before };
}

/** The tasks nearest to some, these first. */
function around(starts, { after, before }, most, fits = () => true) {
  const found = new Set(starts);
  for (const id of found) {
    for (const near of [...(after.get(id) ?? []), ...(before.get(id) ?? [])]) {
      if (found.size >= most) return found;
      if (after.has(near) && fits(near)) found.add(near);
    }
  }
  return found;
}

/** How deep each task lies: the longest way to it. */
function depths(tasks, { after, before }) {
  const open = new Map(tasks.map((row) => [row.id, (after.get(row.id) ?? []).filter((id) => after.has(id)).length]));
  const depth = new Map();
  let layer = tasks.filter((row) => !open.get(row.id)).map((row) => row.id);
  for (let deep = 0; layer.length; deep += 1) {
    const next = [];
    for (const id of layer) {
      depth.set(id, deep);
      for (const later of before.get(id) ?? []) {
        const left = open.get(later) - 1;
        open.set(later, left);
        if (!left) next.push(later);
      }
    }
    layer = next;
  }
  return depth;
}

/** What is drawn: boxes, arrows, and which part of the whole that is. */
function drawing(picture, how, focus) {
  const { tasks } = picture;
  const ways = arrows(tasks);
  const box = (row) => ({ id: row.id, row, width: WIDTH, height: HEIGHT });
  const part = (ids, words) => {
    const nodes = tasks.filter((row) => ids.has(row.id)).map(box);
    const edges = nodes.flatMap(({ id }) => [...new Set(ways.after.get(id))].filter((need) => ids.has(need)).map((need) => [need, id]));
    return { nodes, edges, words };
  };
  if (how === "layers") {
    const layers = [];
    const depth = depths(tasks, ways);
    for (const row of tasks) (layers[depth.get(row.id) ?? 0] ??= []).push(row);
    const nodes = layers.map((rows, deep) => ({ id: `layer ${deep}`, rows, width: WIDTH, height: HEIGHT }));
    return { nodes, edges: nodes.slice(1).map((node, deep) => [nodes[deep].id, node.id]),
      words: `${count(tasks.length)} tasks, folded into ${nodes.length} layers: what lies in one waits for the one before it.` };
  }
  if (how === "around" && focus) {
    const ids = around([focus], ways, NEAR);
    return part(ids, ids.size < tasks.length ? `${ids.size} of ${count(tasks.length)} tasks: those nearest to ${line(focus)}.` : "");
  }
  if (how === "open") {
    const open = tasks.filter((row) => !["completed", "cancelled"].includes(row.status));
    if (open.length <= MOST) return part(new Set(open.map((row) => row.id)), `${open.length} of ${count(tasks.length)} tasks: those that have not ended.`);
    const ids = new Set(open.map((row) => row.id));
    const some = (statuses) => open.filter((row) => statuses.includes(row.status)).slice(0, NEAR / 2).map((row) => row.id);
    const first = some(["running", "verifying", "reviewing", "merging"]);
    const near = around(first.length ? first : some(["ready", "failed"]).slice(0, 8), ways, NEAR, (id) => ids.has(id));
    return part(near, `${near.size} of ${count(tasks.length)} tasks: those that have not ended and are nearest to the work.`);
  }
  const all = tasks.slice(0, MOST);
  return part(new Set(all.map((row) => row.id)), all.length < tasks.length ? `The first ${MOST} of ${count(tasks.length)} tasks.` : "");
}

let worker = null;
let layouts = 0;

/** Where everything stands. Only other boxes or arrows are laid out anew, not those of another colour. */
function useLayout({ nodes, edges }) {
  const [laid, setLaid] = useState(null);
  const form = useMemo(() => JSON.stringify([nodes.map((node) => node.id), edges]), [nodes, edges]);
  useEffect(() => {
    worker ??= new Worker("/assets/graph-worker.js", { type: "module" });
    const number = (layouts += 1);
    const hear = ({ data }) => { if (data.number === number) setLaid({ ...data, form }); };
    worker.addEventListener("message", hear);
    worker.postMessage({ number, nodes: nodes.map(({ id, width, height }) => ({ id, width, height })), edges });
    return () => worker.removeEventListener("message", hear);
  }, [form]);
  return laid?.form === form ? laid : null;
}

const path = (points) => points.map(([x, y], place) => {
  if (!place) return `M${x},${y}`;
  const [bx, by] = points[place - 1];
  return `C${(bx + x) / 2},${by} ${(bx + x) / 2},${y} ${x},${y}`;
}).join("");
const straight = (points) => `M${points.map(([x, y]) => `${x},${y}`).join("L")}`;
// Letters are not all as wide: what is too wide all the same ends at the edge of its box.
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function Box({ node, place: [x, y], open }) {
  if (node.rows) {
    const by = {};
    for (const row of node.rows) by[row.status] = (by[row.status] ?? 0) + 1;
    const words = Object.entries(by).map(([status, n]) => `${STATUSES[status]} ${n}`).join("  ");
    return html`<g class="box" transform=${`translate(${x - WIDTH / 2},${y - HEIGHT / 2})`}><title>${Object.entries(by).map(([status, n]) => `${n} ${status}`).join(", ")}</title>
      <rect width=${WIDTH} height=${HEIGHT} rx="6" /><text x="10" y="18" class="t">${node.id}: ${count(node.rows.length)} tasks</text><text x="10" y="35">${cut(words, 30)}</text></g>`;
  }
  const { row } = node;
  return html`<a href=${to("task", row.id)} data-row class="box s-${row.status} ${open ? "chosen" : ""}" aria-label=${`${line(row.id)}: ${row.status}, ${line(row.title)}`}>
    <g transform=${`translate(${x - WIDTH / 2},${y - HEIGHT / 2})`}><title>${`${line(row.id)}: ${line(row.title)} (${row.status})`}</title>
      <rect width=${WIDTH} height=${HEIGHT} rx="6" /><rect class="edge" width="4" height=${HEIGHT} rx="2" />
      <svg width=${WIDTH - 6} height=${HEIGHT}><text x="13" y="19" class="t"><tspan class="sign">${STATUSES[row.status]}</tspan> ${cut(line(row.id), 22)}</text>
        <text x="13" y="36">${cut(line(row.agent ? `${row.agent}: ${row.title}` : row.title), 29)}</text></svg></g></a>`;
}

/** A picture that one moves by the pointer, the wheel or the arrows, and enlarges. */
function Canvas({ laid, drawn, focus }) {
  const box = useRef(null);
  const [view, setView] = useState(null);
  const moving = useRef(null);
  const fit = () => {
    const { clientWidth: w, clientHeight: h } = box.current;
    const scale = Math.min(1.15, Math.max(0.55, Math.min(w / laid.width, h / laid.height)));
    const place = focus && drawn.nodes.findIndex((node) => node.id === focus);
    const [cx, cy] = place >= 0 && laid.width * scale > w ? laid.places[place] : [laid.width / 2, laid.height / 2];
    const x = laid.width * scale <= w ? (w - laid.width * scale) / 2 : Math.min(0, Math.max(w - laid.width * scale, w / 2 - cx * scale));
    const y = laid.height * scale <= h ? (h - laid.height * scale) / 2 : Math.min(0, Math.max(h - laid.height * scale, h / 2 - cy * scale));
    setView({ x, y, scale });
  };
  useEffect(fit, [laid]);
  const zoom = (by, mx = box.current.clientWidth / 2, my = box.current.clientHeight / 2) => setView(({ x, y, scale }) => {
    const next = Math.min(3, Math.max(0.1, scale * by));
    return { scale: next, x: mx - ((mx - x) * next) / scale, y: my - ((my - y) * next) / scale };
  });
  useEffect(() => {
    const wheel = (event) => {
      event.preventDefault();
      const { left, top } = box.current.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - left, event.clientY - top);
      else setView((known) => known && { ...known, x: known.x - event.deltaX, y: known.y - event.deltaY });
    };
    box.current.addEventListener("wheel", wheel, { passive: false });
    return () => box.current?.removeEventListener("wheel", wheel);
  }, []);
  const fingers = useRef(new Map()).current;
  const down = (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    moving.current = { far: 0 };
  };
  const move = (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const now = [event.clientX, event.clientY];
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const { left, top } = box.current.getBoundingClientRect();
      zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(last[0] - other[0], last[1] - other[1])), other[0] - left, other[1] - top);
    } else setView((known) => ({ ...known, x: known.x + now[0] - last[0], y: known.y + now[1] - last[1] }));
    moving.current.far += Math.hypot(now[0] - last[0], now[1] - last[1]);
    // Only what is drawn about holds the pointer: a click on a box is one on its link.
    if (moving.current.far > 6 && !box.current.hasPointerCapture(event.pointerId)) box.current.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, now);
  };
  const up = (event) => fingers.delete(event.pointerId);
  const click = (event) => { if (moving.current?.far > 6) event.preventDefault(); };
  const key = (event) => {
    const by = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (by) setView((known) => ({ ...known, x: known.x + by[0], y: known.y + by[1] }));
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  // What is reached by the keyboard is brought into sight.
  const focused = (event) => {
    const place = drawn.nodes.findIndex((node) => `${to("task", node.id)}` === event.target.getAttribute?.("href"));
    if (place < 0 || !event.target.matches(":focus-visible")) return;
    const [px, py] = laid.places[place];
    setView((known) => {
      const { clientWidth: w, clientHeight: h } = box.current;
      const [sx, sy] = [px * known.scale + known.x, py * known.scale + known.y];
      if (sx > 100 && sx < w - 100 && sy > 40 && sy < h - 40) return known;
      return { ...known, x: w / 2 - px * known.scale, y: h / 2 - py * known.scale };
    });
  };
  const { open } = read();
  return html`<div class="canvas" ref=${box} tabindex="0" role="group" aria-label="Graph of tasks. Arrows move it, plus and minus enlarge it, 0 fits it"
    onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${up} onClickCapture=${click} onKeyDown=${key} onFocusIn=${focused} onScroll=${(event) => { event.currentTarget.scrollTo(0, 0); }}>
    ${view && html`<svg width="100%" height="100%"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0L8,4L0,8z" /></marker></defs>
      <g transform=${`translate(${view.x},${view.y}) scale(${view.scale})`} data-list>
        <g class="edges">${laid.lines.map((points, place) => {
    const [from, into] = drawn.edges[place];
    const near = open?.kind === "task" && (from === open.id || into === open.id);
    return html`<path key=${`${from} ${into}`} class=${near ? "near" : ""} d=${(points.length > 40 ? straight : path)(points)} marker-end="url(#tip)" />`;
  })}</g>
        ${drawn.nodes.map((node, place) => html`<${Box} key=${node.id} node=${node} place=${laid.places[place]} open=${open?.kind === "task" && open.id === node.id} />`)}
      </g></svg>`}
    <div class="zoom"><button class="icon" onClick=${() => zoom(1.25)} aria-label="Larger">+</button><button class="icon" onClick=${() => zoom(0.8)} aria-label="Smaller">−</button>
      <button class="icon" onClick=${fit} aria-label="Fit">⤢</button></div>
  </div>`;
}

export function Graph() {
  const picture = shown();
  const { open } = read();
  const many = picture.tasks.length > MOST;
  const [chosen, choose] = useState(null);
  const focus = open?.kind === "task" && picture.task(open.id) ? open.id : null;
  const last = useRef(null);
  if (focus) last.current = focus;
  const how = chosen ?? (!many ? "all" : focus ? "around" : "open");
  const middle = last.current ?? picture.tasks.find((row) => row.status === "running")?.id ?? picture.tasks[0]?.id;
  const drawn = useMemo(() => drawing(picture, how, middle), [picture.tasks, how, how === "around" ? middle : null]);
  const laid = useLayout(drawn);
  if (!picture.tasks.length) return html`<${Empty}>No tasks yet.<//>`;
  const ways = [["all", many ? `First ${MOST}` : "All"], ["open", "Not ended"], ["around", "Around one"], ["layers", "Layers"]];
  return html`<section class="full graph"><h2 class="sr">Graph</h2>
    <div class="tools"><div class="tabs" role="group" aria-label="What is shown">${ways.map(([name, title]) => html`<button key=${name} aria-pressed=${name === how} onClick=${() => choose(name)}>${title}</button>`)}</div>
      <span class="faint">${drawn.words}</span></div>
    ${!drawn.nodes.length ? html`<${Empty}>None.<//>` : !laid ? html`<${Empty}>Laying out ${drawn.nodes.length} tasks…<//>`
    : laid.error ? html`<${Empty}>It cannot be laid out: ${laid.error}<//>`
      : html`<${Canvas} laid=${laid} drawn=${drawn} focus=${middle} />`}
  </section>`;
}
