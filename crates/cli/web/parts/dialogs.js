// Dialogs: a text, a choice, a task, and plans and results that are read before they are judged.
import { get } from "../api.js";
import { html, useAsked, useEffect, useRef, useState, Wrong } from "../base.js";
import { act, close } from "../steer.js";
import { textOf } from "../words.js";
import { Change } from "./change.js";

/** The dialog that is open. */
export function Dialog({ dialog }) {
  const box = useRef();
  useEffect(() => {
    if (!box.current.open) box.current.showModal();
    box.current.querySelector("[data-first]")?.focus();
  }, [dialog]);
  const Inner = { text: Text, choose: Choose, add: Add, plan: Plan, review: Review, help: Help }[dialog.kind];
  return html`<dialog ref=${box} class=${dialog.kind} aria-label=${dialog.title ?? dialog.kind} onClose=${close}
      onClick=${(event) => event.target === box.current && box.current.close()}>
    <${Inner} ...${dialog} done=${() => box.current?.close()} />
  </dialog>`;
}

/** A form that is sent once at a time, and closes when it was done. */
function Form({ title, button, danger, no, children, send, done }) {
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    if (await send()) done();
    else setBusy(false);
  };
  const keys = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
  };
  return html`<form onSubmit=${submit} onKeyDown=${keys}>
    <h2>${title}</h2>
    ${children}
    <p class="buttons">
      <button type="button" onClick=${done}>Close</button>
      <button class=${danger ? "danger" : "main"} disabled=${busy || no}>${busy ? "…" : button}</button>
    </p>
  </form>`;
}

function Text({ title, label, button, danger, bare, wanted, quote, send, done }) {
  const [text, setText] = useState("");
  return html`<${Form} title=${title} button=${button} danger=${danger} no=${wanted && !text.trim()} send=${() => send(text)} done=${done}>
    ${quote ? html`<blockquote class="text">${textOf(quote)}</blockquote>` : null}
    ${bare ? html`<p>${label}</p>` : html`<label>${label}<textarea data-first rows="4" value=${text} onInput=${(event) => setText(event.target.value)} /></label>`}
  <//>`;
}

function Choose({ title, label, button, options, send, done }) {
  const [chosen, setChosen] = useState(options[0][0]);
  return html`<${Form} title=${title} button=${button} send=${() => send(chosen)} done=${done}>
    <label>${label}<select data-first value=${chosen} onChange=${(event) => setChosen(event.target.value)}>
      ${options.map(([value, words]) => html`<option value=${value}>${words}</option>`)}
    </select></label>
  <//>`;
}

function Add({ title, done }) {
  const [task, setTask] = useState({ title: "", description: "", after: "", check: "" });
  const field = (name) => ({ value: task[name], onInput: (event) => setTask({ ...task, [name]: event.target.value }) });
  const send = () => act({ do: "add", title: task.title, description: task.description,
    after: task.after.split(/[\s,]+/).filter(Boolean), check: task.check.trim() || null });
  return html`<${Form} title=${title} button="Add it" no=${!task.title.trim()} send=${send} done=${done}>
    <label>Title<input data-first ...${field("title")} /></label>
    <label>The whole text<textarea rows="4" ...${field("description")} /></label>
    <label>After these tasks (ids)<input ...${field("after")} /></label>
    <label>The command that proves it<input class="code" ...${field("check")} /></label>
  <//>`;
}

/** Something to read, which says when its end was seen. */
function Reading({ text, seen }) {
  const box = useRef();
  const look = () => {
    const { scrollTop, clientHeight, scrollHeight } = box.current;
    if (scrollTop + clientHeight >= scrollHeight - 4) seen();
  };
  useEffect(look, [text]);
  return html`<pre class="text reading" tabindex="0" data-first ref=${box} onScroll=${look}>${text}</pre>`;
}

function Verdict({ no, judge, done }) {
  const [words, setWords] = useState("");
  const [busy, setBusy] = useState(false);
  const give = async (approve) => {
    setBusy(true);
    if (await judge(approve, words)) done();
    else setBusy(false);
  };
  return html`<label>A word with it; what is to be changed, if it goes back<textarea rows="2" value=${words} onInput=${(event) => setWords(event.target.value)} /></label>
    <p class="buttons">
      <button type="button" onClick=${done}>Close</button>
      <button type="button" class="danger" disabled=${busy || !words.trim()} onClick=${() => give(false)}>Send it back</button>
      <button type="button" class="main" disabled=${busy || no} title=${no ? "Read it to its end first" : null} onClick=${() => give(true)}>Approve</button>
    </p>
    ${no ? html`<p class="hint">Read it to its end, then you can approve it.</p>` : null}`;
}

function Plan({ task, done }) {
  const { value, error } = useAsked(() => get(`task/${encodeURIComponent(task)}`), [task]);
  const [read, setRead] = useState(false);
  if (error) return html`<${Wrong} error=${error} /><p class="buttons"><button onClick=${done}>Close</button></p>`;
  if (!value) return html`<p class="empty">Reading the plan…</p>`;
  const plan = value.task.plan;
  if (!plan || plan.approved != null) return html`<h2>No plan waits at ${task}</h2><p class="buttons"><button data-first onClick=${done}>Close</button></p>`;
  const judge = (approve, text) => act({ do: approve ? "approve_plan" : "reject_plan", task, round: plan.round, text });
  return html`<h2>Plan ${plan.round} of ${plan.author} for ${task}</h2>
    <p class="hint">${textOf(value.task.title)}</p>
    <${Reading} text=${textOf(plan.text)} seen=${() => setRead(true)} />
    <${Verdict} no=${!read} judge=${judge} done=${done} />`;
}

function Review({ task, done }) {
  const { value, error } = useAsked(() => get(`task/${encodeURIComponent(task)}`), [task]);
  if (error) return html`<${Wrong} error=${error} /><p class="buttons"><button onClick=${done}>Close</button></p>`;
  if (!value) return html`<p class="empty">Reading the result…</p>`;
  const of = value.task;
  if (of.status !== "reviewing") return html`<h2>${task} waits for no review</h2><p class="buttons"><button data-first onClick=${done}>Close</button></p>`;
  return html`<h2>What ${of.author} delivered for ${task}, attempt ${of.attempt}</h2>
    <pre class="text reading" tabindex="0" data-first>${textOf(of.result)}</pre>
    ${of.check_output ? html`<details><summary>What its check said</summary><pre class="text">${textOf(of.check_output)}</pre></details>` : null}
    <details open=${Boolean(of.commit)}><summary>The change</summary><${Change} task=${task} /></details>
    <${Verdict} judge=${(approve, text) => act({ do: "review", task, attempt: of.attempt, approve, text })} done=${done} />`;
}

const KEYS = [
  ["1 … 8", "the views"], ["/", "search everything"], ["j k, arrows", "the next, the one before"], ["Enter", "open"], ["Esc", "close"],
  ["[ ]", "one record back, one forward"], ["0", "back to now"], ["n", "what waits for you"], ["a", "add a task"], ["t", "dark or light"], ["?", "this help"],
];

function Help({ done }) {
  return html`<h2>Keys</h2>
    <dl class="keys">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <p class="hint">Everything here is done by commands that you can type as well; each shows its own.</p>
    <p class="buttons"><button data-first class="main" onClick=${done}>Close</button></p>`;
}
