// What an agent was told, said and called in an attempt, as it comes. Calls of tools are folded, with what they gave.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib.js";
import { follow, readOn, store } from "../store.js";
import { clock, count, line, moment, plural, seen, span } from "../words.js";
import { Agent, Awaited, Empty, Marked, Task } from "./common.js";

/** So many of the last entries are drawn at first. */
const AT_ONCE = 150;

/** The entries that are shown: a call and what it gave are one. */
function entries(lines) {
  const found = [];
  const calls = new Map();
  for (const one of lines) {
    if (one.type === "tool_result") {
      const call = calls.get(one.call_id);
      if (call && !call.result) call.result = one;
      else found.push({ kind: "call", at: one.at_ms, name: one.name, result: one });
      continue;
    }
    if (one.type !== "answered") { found.push({ kind: one.type, at: one.at_ms, one }); continue; }
    found.push({ kind: "turn", at: one.at_ms, one });
    for (const part of one.parts ?? []) {
      if (part.type === "text" && part.text.trim()) found.push({ kind: "said", at: one.at_ms, text: part.text });
      if (part.type === "tool_call") {
        const call = { kind: "call", at: one.at_ms, name: part.name, input: part.input, result: null };
        calls.set(part.id, call);
        found.push(call);
      }
    }
  }
  return found;
}

/** The arguments of a call in one line: their values, since the names say little. */
function brief(input) {
  if (input == null) return "";
  if (typeof input !== "object") return line(String(input));
  return line(Object.values(input).map((value) => (typeof value === "string" ? value.split("\n")[0] : JSON.stringify(value))).join("  "));
}

function Input({ input, find }) {
  if (input == null) return null;
  if (typeof input !== "object") return html`<pre><${Marked} text=${seen(String(input))} words=${find} /></pre>`;
  return html`<dl class="args">${Object.entries(input).map(([name, value]) => html`<dt key=${name}>${line(name)}</dt><dd><pre><${Marked} text=${seen(typeof value === "string" ? value : JSON.stringify(value, null, 2))} words=${find} /></pre></dd>`)}</dl>`;
}

function Call({ call, find }) {
  const { result } = call;
  const output = result?.output ?? "";
  const how = !result ? ["running", "●", "no result yet"] : result.is_error ? ["failed", "✗", "error"] : ["completed", "✓", plural(output ? output.split("\n").length : 0, "line")];
  return html`<details class="fold call"><summary><span class="status s-${how[0]}"><span class="sign" aria-hidden="true">${how[1]}</span></span><b>${line(call.name)}</b>
      <span class="args-line">${brief(call.input).slice(0, 160)}</span><span class="faint how">${how[2]}${result && result.at_ms - call.at > 999 ? `, ${span(result.at_ms - call.at)}` : ""}</span></summary>
    <${Input} input=${call.input} find=${find} />${result && html`<pre class=${result.is_error ? "bad" : ""}><${Marked} text=${seen(output)} words=${find} /></pre>`}</details>`;
}

const textOfParts = (parts) => (parts ?? []).filter((part) => part.type === "text").map((part) => part.text).join("\n\n");

function Entry({ entry, find }) {
  const { kind, one } = entry;
  if (kind === "call") return html`<${Call} call=${entry} find=${find} />`;
  if (kind === "said") return html`<div class="text said"><${Marked} text=${seen(entry.text)} words=${find} /></div>`;
  if (kind === "turn") {
    const { usage, stop, turn } = one;
    return html`<h4><span>turn ${turn}</span><span class="faint">${usage ? `${count(usage.input_tokens)} read${usage.cached_tokens ? ` (${count(usage.cached_tokens)} cached)` : ""}, ${count(usage.output_tokens)} written` : ""}${stop && !["end", "tool_calls"].includes(stop) ? `, ${line(stop)}` : ""}</span>
      <time class="when" title=${moment(one.at_ms)}>${clock(one.at_ms)}</time></h4>`;
  }
  if (kind === "told" || kind === "compacted") {
    const text = textOfParts(one.parts);
    const title = kind === "told" ? (one.messages?.length ? `was told: ${plural(one.messages.length, "message")}` : "was told") : "its conversation was compacted";
    const short = text.length < 400 && kind === "told";
    return html`<details class="fold told" open=${short}><summary><b>${title}</b> <span class="args-line">${line(text.trim()).slice(0, 120)}</span></summary><div class="text"><${Marked} text=${seen(text)} words=${find} /></div></details>`;
  }
  const words = {
    began: () => `begins, attempt ${one.attempt}${one.with ? `, with ${line(one.with)}` : ""}`,
    session: () => `conversation ${line(one.id)}`,
    permission: () => `asked for ${line(one.what)}: ${one.allowed ? "allowed" : "refused"}`,
    ended: () => `ended: ${line(one.outcome)}`,
  }[kind];
  return html`<p class="event e-${kind}"><span>${words ? words() : line(kind)}</span><time class="when" title=${moment(one.at_ms)}>${clock(one.at_ms)}</time></p>`;
}

/** What is being said, or printed by a command that runs. */
function Draft({ draft }) {
  if (draft.output) return html`<div class="draft"><p class="event">its command prints</p><pre class="text">${seen(draft.output)}</pre></div>`;
  if (!draft.text && !draft.calls.length) return null;
  return html`<div class="draft"><h4><span>turn ${draft.turn}</span><span class="faint">goes on</span></h4>
    ${draft.text.trim() && html`<div class="text said">${seen(draft.text)}</div>`}
    ${draft.calls.map((name, place) => html`<p class="event" key=${place}>calls ${line(name)}…</p>`)}</div>`;
}

/** Whether words are in an entry, as they are written in JSON. */
const holds = (entry, find) => JSON.stringify(entry).toLowerCase().includes(JSON.stringify(find).slice(1, -1).toLowerCase());

export function Transcript({ token, find, within }) {
  useEffect(() => {
    // What is looked for may be anywhere in it.
    readOn(token).then(() => { if (find && store.transcripts.get(token).from > 0) readOn(token, true); });
    follow([token]);
    return () => follow([]);
  }, [token]);
  const known = store.transcripts.get(token);
  const all = useMemo(() => entries(known?.lines ?? []), [known?.lines]);
  const [wanted, setMany] = useState(AT_ONCE);
  const [atEnd, setAtEnd] = useState(!find);
  const looked = Boolean(find) && known?.from === 0;
  const first = useMemo(() => (looked ? all.findIndex((entry) => holds(entry, find)) : -1), [all, looked]);
  const many = first < 0 ? wanted : Math.max(wanted, all.length - first);
  // How far from the end one is, while more is put before it.
  const held = useRef(null);
  const scroller = () => within?.current;
  useLayoutEffect(() => {
    const box = scroller();
    if (atEnd && box) box.scrollTop = box.scrollHeight;
  }, [all, known?.draft, atEnd]);
  useEffect(() => {
    const box = scroller();
    if (!box) return undefined;
    const hear = () => setAtEnd(box.scrollHeight - box.scrollTop - box.clientHeight < 60);
    box.addEventListener("scroll", hear, { passive: true });
    return () => box.removeEventListener("scroll", hear);
  }, []);
  useLayoutEffect(() => {
    if (!looked) return;
    const marks = [...scroller().querySelectorAll("mark")];
    for (const mark of marks) mark.closest("details")?.setAttribute("open", "");
    if (marks.length) marks[0].scrollIntoView({ block: "center" });
    else setAtEnd(true);
  }, [looked]);
  useLayoutEffect(() => {
    const box = scroller();
    if (held.current != null && box) box.scrollTop = box.scrollHeight - held.current;
    held.current = null;
  }, [many]);
  if (known?.read ? !known.of && !all.length : [400, 404].includes(known?.error?.status)) return html`<${Empty}>There is no such transcript.<//>`;
  if (!known?.read) return html`<${Awaited} said=${{ error: known?.error }} />`;
  const more = async () => {
    if (!from) await readOn(token, true);
    const box = scroller();
    held.current = box.scrollHeight - box.scrollTop;
    setAtEnd(false);
    setMany(many + 500);
  };
  const from = Math.max(0, all.length - many);
  return html`<div class="transcript">
    ${known.of && html`<p class="faint of"><${Agent} id=${known.of.agent} /> on <${Task} id=${known.of.task} />, ${known.of.stage}, attempt ${known.of.attempt}${known.of.to_ms == null ? "" : `: ${line(known.of.words)}`}</p>`}
    ${store.at != null && html`<p class="banner past">A transcript is shown as it is today, not as it was then.</p>`}
    ${!all.length && html`<${Empty}>There is no transcript here: it lies beside the log on the machine where the agent worked, and who works from a shell writes none.<//>`}
    ${(from > 0 || known.from > 0) && html`<button class="more" onClick=${more}>Show what was before${from > 0 && !known.from ? ` (${count(from)} entries)` : ""}</button>`}
    ${all.slice(from).map((entry, place) => html`<${Entry} key=${from + place} entry=${entry} find=${find} />`)}
    ${known.draft && html`<${Draft} draft=${known.draft} />`}
    ${!atEnd && html`<button class="to-end" onClick=${() => setAtEnd(true)}>↓ to the end</button>`}
  </div>`;
}
