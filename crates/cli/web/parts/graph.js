// The tasks and what they wait for, laid out.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../base.js";
import { address, read } from "../route.js";
import { STATUSES, count, seen } from "../words.js";

/** How many tasks are laid out at once: more are no picture any more. */
const MOST = 300;
const DONE = ["completed", "cancelled"];

/** The tasks that are shown: all, or those around the one that is open, or else what is not done yet and what it waits for. */
function chosen(picture, open) {
  const { tasks } = picture;
  if (tasks.length <= MOST) return { rows: tasks, words: null };
  const dependents = new Map();
  for (const row of tasks) for (const id of [...row.after, ...(row.parent ? [row.parent] : [])]) dependents.set(id, [...(dependents.get(id) ?? []), row]);
  const taken = new Map();
  const take = (row) => row && taken.size < MOST && !taken.has(row.id) && taken.set(row.id, row);
  const around = (row) => [...row.after.map((id) => picture.task(id)), ...(dependents.get(row.id) ?? [])].filter(Boolean);
  const center = open?.kind === "task" ? picture.task(open.id) : null;
  let words;
  if (center) {
    take(center);
    let edge = [center];
    while (edge.length && taken.size < MOST) {
      const next = edge.flatMap(around).filter((row) => !taken.has(row.id));
      next.forEach(take);
      edge = next;
    }
    words = `the ${count(taken.size)} of ${count(tasks.length)} tasks that are nearest to ${center.id}`;
  } else {
    const alive = (row) => !["blocked", ...DONE].includes(row.status);
    tasks.filter(alive).forEach(take);
    for (const row of [...taken.values()]) around(row).forEach(take);
    tasks.filter((row) => !DONE.includes(row.status)).forEach(take);
    tasks.forEach(take);
    words = `${count(taken.size)} of ${count(tasks.length)} tasks: those under way and what stands next to them. Open a task to see what is around it`;
  }
  return { rows: [...taken.values()], words };
}

export function Graph({ picture }) {
  const open = read().open;
  const near = picture.tasks.length > MOST && open?.kind === "task" ? open.id : null;
  const { rows, words } = useMemo(() => chosen(picture, open), [picture.tasks, near]);
  // What changes the form, and not only a state: laying it out anew moves everything.
  const form = rows.map((row) => `${row.id}<${row.after.join(",")}<${row.parent ?? ""}`).join(";");
  const [laid, setLaid] = useState(null);
  const worker = useRef(null);
  const asked = useRef(0);
  useEffect(() => {
    worker.current = new Worker("/assets/graph-worker.js", { type: "module" });
    worker.current.onmessage = ({ data }) => data.asked === asked.current && setLaid(data);
    return () => worker.current.terminate();
  }, []);
  useEffect(() => {
    const there = new Set(rows.map((row) => row.id));
    const edges = rows.flatMap((row) => row.after.filter((id) => there.has(id)).map((id) => [id, row.id]));
    asked.current += 1;
    worker.current.postMessage({ asked: asked.current, nodes: rows.map((row) => row.id), edges, down: innerWidth < 700 });
  }, [form]);
  if (!picture.tasks.length) return html`<p class="empty">There are no tasks yet.</p>`;
  return html`${words ? html`<p class="hint">Shown: ${words}.</p>` : null}
    ${laid?.error ? html`<p class="wrong">ERROR the graph cannot be laid out: ${laid.error}</p>` : null}
    ${laid?.nodes ? html`<${Drawn} laid=${laid} picture=${picture} open=${open} />` : html`<p class="empty">Laying out ${plural(rows.length)}…</p>`}`;
}

const plural = (n) => `${count(n)} ${n === 1 ? "task" : "tasks"}`;

function Drawn({ laid, picture, open }) {
  const box = useRef();
  const [view, setView] = useState({ x: 0, y: 0, zoom: 1 });
  const fit = () => {
    const { clientWidth, clientHeight } = box.current;
    // Letters stay readable: what does not fit is scrolled to.
    const zoom = Math.min(1, Math.max(0.45, Math.min(clientWidth / laid.width, clientHeight / laid.height)));
    setView({ x: Math.min(0, (laid.width - clientWidth / zoom) / 2), y: Math.min(0, (laid.height - clientHeight / zoom) / 2), zoom });
  };
  useLayoutEffect(fit, [laid.width, laid.height]);
  const zoomBy = (factor, x = box.current.clientWidth / 2, y = box.current.clientHeight / 2) => setView((known) => {
    const zoom = Math.min(2.5, Math.max(0.08, known.zoom * factor));
    return { zoom, x: known.x + x / known.zoom - x / zoom, y: known.y + y / known.zoom - y / zoom };
  });
  const wheel = (event) => {
    event.preventDefault();
    const { left, top } = box.current.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoomBy(event.deltaY < 0 ? 1.15 : 0.87, event.clientX - left, event.clientY - top);
    else setView((known) => ({ ...known, x: known.x + event.deltaX / known.zoom, y: known.y + event.deltaY / known.zoom }));
  };
  useEffect(() => {
    // A listener that is added here may keep the page from scrolling.
    const there = box.current;
    there.addEventListener("wheel", wheel, { passive: false });
    return () => there.removeEventListener("wheel", wheel);
  });
  const drag = useRef(null);
  const down = (event) => { if (!event.target.closest("a")) { drag.current = { x: event.clientX, y: event.clientY }; event.currentTarget.setPointerCapture(event.pointerId); } };
  const moved = (event) => {
    if (!drag.current) return;
    const { x, y } = drag.current;
    drag.current = { x: event.clientX, y: event.clientY };
    setView((known) => ({ ...known, x: known.x - (event.clientX - x) / known.zoom, y: known.y - (event.clientY - y) / known.zoom }));
  };
  const room = box.current ?? { clientWidth: 800, clientHeight: 500 };
  const area = `${view.x} ${view.y} ${Math.max(1, room.clientWidth / view.zoom)} ${Math.max(1, room.clientHeight / view.zoom)}`;
  const line = (points) => points.map(({ x, y }, place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  // With the keyboard one comes to tasks that are out of sight: they are brought into it.
  const bring = (node) => {
    const [wide, high] = [room.clientWidth / view.zoom, room.clientHeight / view.zoom];
    if (node.x < view.x + 95 || node.y < view.y + 22 || node.x > view.x + wide - 95 || node.y > view.y + high - 22) {
      setView((known) => ({ ...known, x: node.x - wide / 2, y: node.y - high / 2 }));
    }
  };
  return html`<div class="drawing" ref=${box} onPointerDown=${down} onPointerMove=${moved} onPointerUp=${() => { drag.current = null; }} onPointerCancel=${() => { drag.current = null; }}>
    <svg viewBox=${area} role="group" aria-label="tasks and what they wait for">
      <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="head" /></marker></defs>
      ${laid.edges.map((edge) => html`<path key=${`${edge.from} ${edge.to}`} class=${`edge ${open && (open.id === edge.from || open.id === edge.to) ? "near" : ""}`} d=${line(edge.points)} marker-end="url(#arrow)" />`)}
      ${laid.nodes.map((node) => {
        const row = picture.task(node.id);
        if (!row) return null;
        const [mark, word] = STATUSES[row.status];
        return html`<a key=${node.id} data-item href=${address({ open: { kind: "task", id: node.id } })} class=${`node ${row.status} ${open?.id === node.id ? "here" : ""}`}
            transform=${`translate(${node.x - 95} ${node.y - 22})`} onFocus=${() => bring(node)} aria-label=${`${node.id}: ${seen(row.title)}, ${word}`}>
          <title>${`${node.id}: ${seen(row.title)}\n${word}${row.agent ? ` by ${row.agent}` : ""}`}</title>
          <rect width="190" height="44" rx="6" /><rect class="mark" width="5" height="44" rx="2" />
          <text x="14" y="18" class="title">${cut(seen(row.title), 26)}</text>
          <text x="14" y="35" class="about">${mark} ${cut(seen(`${node.id}${row.agent ? ` · ${row.agent}` : ""}`), 27)}</text>
        </a>`;
      })}
    </svg>
    <p class="zoom"><button onClick=${() => zoomBy(1.3)} aria-label="larger">+</button><button onClick=${() => zoomBy(0.77)} aria-label="smaller">−</button><button onClick=${fit}>Fit</button></p>
  </div>`;
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
