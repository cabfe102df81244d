// What an agent was told, said, called and got. Calls are folded: one line each.
import { html, Link, useEffect, useLayoutEffect, useMemo, useRef, useState, Wrong } from "../base.js";
import { follow, readOn, store } from "../store.js";
import { clock, count, firstLine, seen } from "../words.js";

/** How many steps are drawn before somebody asks for earlier ones. */
const STEPS = 120;
/** How much of an output is drawn at once, in characters. */
const OUTPUT = 20000;

/** The steps of a transcript: a call and what it gave are one. */
function steps(lines) {
  const steps = [];
  const calls = new Map();
  for (const line of lines) {
    if (line.type === "tool_result") {
      const call = calls.get(line.call_id);
      if (call) call.result = line;
      else steps.push({ kind: "call", name: line.name, input: null, result: line, at_ms: line.at_ms });
      continue;
    }
    if (line.type === "answered" || line.type === "told" || line.type === "compacted") {
      for (const part of line.parts) {
        if (part.type === "text" && part.text.trim()) steps.push({ kind: line.type, text: part.text, at_ms: line.at_ms, turn: line.turn });
        if (part.type === "tool_call") {
          const call = { kind: "call", name: part.name, input: part.input, result: null, at_ms: line.at_ms };
          calls.set(part.id, call);
          steps.push(call);
        }
      }
      continue;
    }
    if (line.type === "began") steps.push({ kind: "note", text: `${line.agent} begins ${line.task}, attempt ${line.attempt}, with ${line.with}`, at_ms: line.at_ms });
    if (line.type === "permission") steps.push({ kind: "note", text: `asked for ${line.what}: ${line.allowed ? "allowed" : "refused"}`, at_ms: line.at_ms });
    if (line.type === "ended") steps.push({ kind: "note", text: `ended: ${line.outcome}`, at_ms: line.at_ms });
  }
  return steps;
}

export function Transcript({ token }) {
  const known = store.transcripts.get(token);
  useEffect(() => {
    follow([token]);
    readOn(token);
    return () => follow([]);
  }, [token]);
  const all = useMemo(() => steps(known?.lines ?? []), [known?.lines]);
  const [more, setMore] = useState(0);
  const end = useRef();
  const near = useRef(false);
  // Whoever reads at the end stays there as it grows; whoever has scrolled up is left in peace.
  useLayoutEffect(() => {
    const box = end.current?.closest(".scrolls");
    if (!box) return undefined;
    const look = () => { near.current = box.scrollTop + box.clientHeight > box.scrollHeight - 60; };
    box.addEventListener("scroll", look);
    return () => box.removeEventListener("scroll", look);
  }, [token]);
  useLayoutEffect(() => {
    const box = end.current?.closest(".scrolls");
    if (box && near.current) box.scrollTop = box.scrollHeight;
  }, [all.length]);
  if (known?.error && !all.length) return html`<${Wrong} error=${known.error} />`;
  if (!known?.read) return html`<p class="empty">Reading…</p>`;
  if (!all.length) return html`<p class="empty">There is no transcript: whoever worked on it kept none.</p><span ref=${end} />`;
  const first = Math.max(0, all.length - STEPS * (more + 1));
  const tokens = known.lines.reduce((sum, line) => sum + (line.usage ? line.usage.input_tokens + line.usage.output_tokens : 0), 0);
  const turns = known.lines.filter((line) => line.type === "answered").length;
  return html`<div class="transcript">
    ${known.of ? html`<p class="hint"><${Link} kind="agent" id=${known.of.agent} /> at <${Link} kind="task" id=${known.of.task} />, attempt ${known.of.attempt} (${known.of.stage}) · ${turns} turns · ${count(tokens)} tokens</p>` : null}
    ${first ? html`<button onClick=${() => setMore(more + 1)}>Show earlier ones (${first})</button>` : null}
    ${all.slice(first).map((step, place) => html`<${Step} key=${first + place} step=${step} />`)}
    <span ref=${end} />
  </div>`;
}

function Step({ step }) {
  const when = html`<span class="since">${clock(step.at_ms)}</span>`;
  if (step.kind === "note") return html`<p class="note">${when} ${seen(step.text)}</p>`;
  if (step.kind === "call") return html`<${Call} step=${step} when=${when} />`;
  if (step.kind === "answered") return html`<div class="said">${when}<p class="text">${seen(step.text)}</p></div>`;
  const words = step.kind === "told" ? "told" : "compacted";
  return html`<details class="told"><summary>${when} <b>${words}</b> ${firstLine(step.text).slice(0, 140)}</summary><p class="text">${seen(step.text)}</p></details>`;
}

/** What a call is given, in one line. */
function given(input) {
  if (input == null) return "";
  if (typeof input !== "object") return String(input);
  return Object.values(input).map((value) => (typeof value === "string" ? value.split("\n", 1)[0] : JSON.stringify(value))).join(" ");
}

function Call({ step, when }) {
  const [open, setOpen] = useState(false);
  const { name, input, result } = step;
  const mark = !result ? "…" : result.is_error ? "✗" : "✓";
  const whole = () => (typeof input === "object" && input ? Object.entries(input).map(([key, value]) => html`<dt>${seen(key)}</dt><dd><pre class="text">${seen(typeof value === "string" ? value : JSON.stringify(value, null, 2))}</pre></dd>`) : html`<dd><pre class="text">${seen(input)}</pre></dd>`);
  return html`<details class=${`call ${result?.is_error ? "badly" : ""}`} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>${when} <span aria-label=${result ? (result.is_error ? "failed" : "done") : "under way"}>${mark}</span> <b>${seen(name)}</b> <code>${seen(given(input)).slice(0, 160)}</code></summary>
    ${open ? html`<dl>${whole()}</dl>${result ? html`<pre class="text output">${seen(result.output.slice(0, OUTPUT))}${result.output.length > OUTPUT ? `\n… ${count(result.output.length - OUTPUT)} more characters` : ""}</pre>` : html`<p class="hint">It is under way.</p>`}` : null}
  </details>`;
}
