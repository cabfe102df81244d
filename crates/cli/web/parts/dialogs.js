// What is asked before something is done, the reading of a plan, and the keys.
import { html, useLayoutEffect, useRef, useState } from "../lib.js";
import { VIEWS } from "../route.js";
import { ask, store, useAsked } from "../store.js";
import { act, whyNot } from "../steer.js";
import { line, moment, textOf } from "../words.js";
import { Awaited } from "./common.js";

/** A dialog of the browser's: it keeps the focus within, and gives it back. */
function Modal({ title, kind = "", children }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = box.current;
    dialog.showModal();
    dialog.querySelector("[data-first]")?.focus();
    return () => {
      // As long as it is open nothing else can have the focus.
      dialog.close();
      // What opened it may be gone, or go with what is drawn now.
      queueMicrotask(() => (before?.isConnected ? before : document.querySelector(".panel") ?? document.querySelector("main"))?.focus());
    };
  }, []);
  return html`<dialog class=${kind} ref=${box} aria-labelledby="dialog-title" onCancel=${(event) => { event.preventDefault(); ask(null); }}
    onClick=${(event) => event.target === box.current && !kind && ask(null)}>
    <div class="dialog"><h2 id="dialog-title">${title}</h2>${children}</div></dialog>`;
}

/** Why something was not done, where it was asked for. */
const Why = ({ error }) => (error ? html`<div class="why" role="alert"><p>${line(error.message)}</p>
  ${error.hint && html`<p class="faint">${line(error.hint)}</p>`}${error.command && html`<code>${line(error.command)}</code>`}</div>` : null);

/** Has something done, once at a time, until the dialog is left. */
function useSending() {
  const [state, set] = useState({ busy: false, error: null });
  const left = useRef(new AbortController()).current;
  useLayoutEffect(() => () => left.abort(), []);
  const send = async (todo) => {
    if (state.busy) return false;
    set({ busy: true, error: null });
    const error = await todo(left.signal);
    if (error) set({ busy: false, error });
    else ask(null);
    return !error;
  };
  return { ...state, send };
}

function Field({ field, given, set, first }) {
  const change = (event) => set({ ...given, [field.name]: field.kind === "tick" ? event.currentTarget.checked : event.currentTarget.value });
  const more = first ? { "data-first": true } : {};
  const id = `field-${field.name}`;
  if (field.kind === "tick") return html`<label class="tick"><input type="checkbox" checked=${given[field.name]} onChange=${change} /> ${field.label}</label>`;
  const input = field.kind === "text" ? html`<textarea id=${id} rows="4" value=${given[field.name]} onInput=${change} ...${more}></textarea>`
    : field.kind === "choice" ? html`<select id=${id} value=${given[field.name]} onChange=${change} ...${more}>${field.choices.map(([value, words]) => html`<option key=${value} value=${value}>${line(words)}</option>`)}</select>`
      : html`<input id=${id} type="text" value=${given[field.name]} onInput=${change} onFocus=${(event) => event.currentTarget.select()} ...${more} />`;
  return html`<div class="field"><label for=${id}>${field.label}${field.must ? "" : html` <span class="faint">if you like</span>`}</label>${input}</div>`;
}

function Wish({ dialog }) {
  const [given, set] = useState(() => Object.fromEntries(dialog.fields.map((field) => [field.name, field.value ?? (field.kind === "tick" ? false : "")])));
  const { busy, error, send: does } = useSending();
  const lacks = dialog.fields.find((field) => field.must && !given[field.name].trim());
  const send = async (event) => {
    event.preventDefault();
    if (!lacks) await does((givenUp) => dialog.send(given, givenUp));
  };
  const key = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event); };
  return html`<${Modal} title=${line(dialog.title)}><form onSubmit=${send} onKeyDown=${key}>
    ${dialog.words && html`<p class="faint">${dialog.words}</p>`}
    ${dialog.quote && html`<div class="text quote">${textOf(dialog.quote)}</div>`}
    ${dialog.fields.map((field, place) => html`<${Field} key=${field.name} field=${field} given=${given} set=${set} first=${place === 0} />`)}
    <${Why} error=${error} />
    <div class="buttons end"><button type="button" class="do" onClick=${() => ask(null)} data-first=${dialog.fields.length ? undefined : true}>Not now</button>
      <button type="submit" class="do main ${dialog.danger ? "danger" : ""}" disabled=${Boolean(lacks) || busy} title=${lacks ? `Say first: ${lacks.label}` : "Ctrl+Enter"}>${busy ? "…" : dialog.button}</button></div></form><//>`;
}

/** A plan is judged where it was read, and by its number: another one that came meanwhile is not approved by it. */
function Plan({ task }) {
  const { busy, error, send } = useSending();
  // One that was refused may have been judged, or replaced, meanwhile.
  const said = useAsked(`task/${encodeURIComponent(task)}`, { at: store.at }, error ? "anew" : "");
  const plan = said.value?.task.plan;
  const text = useRef(null);
  const [wasRead, setRead] = useState(false);
  const [words, setWords] = useState("");
  const look = () => { const box = text.current; if (box && box.scrollTop + box.clientHeight >= box.scrollHeight - 8) setRead(true); };
  useLayoutEffect(() => {
    setRead(false);
    if (text.current) text.current.scrollTop = 0;
    look();
    text.current?.focus();
  }, [plan?.round]);
  const open = plan && plan.approved == null;
  const why = whyNot() || (!open ? "This plan was judged already" : "");
  const judge = (approve) => send((givenUp) => act({ do: approve ? "approve_plan" : "reject_plan", task, round: plan.round, text: words }, givenUp));
  return html`<${Modal} title=${`Plan for ${line(task)}`} kind="large">
    ${!said.value ? html`<${Awaited} said=${said} />` : !plan ? html`<p>There is no plan.</p>` : html`
      <p class="faint">${line(said.value.task.title)} · plan ${plan.round} by ${line(plan.author)}, ${moment(plan.at_ms)}${open ? "" : ` · ${plan.approved ? "approved" : "rejected"} by ${line(plan.judged_by ?? "")}`}</p>
      <div class="text plan" ref=${text} tabindex="0" role="region" aria-label="The plan" onScroll=${look}>${textOf(plan.text)}</div>
      <div class="field"><label for="plan-words">What is to be changed, or a word with the approval</label><textarea id="plan-words" rows="2" value=${words} onInput=${(event) => setWords(event.currentTarget.value)}></textarea></div>
      <p class="faint" role="status">${why || (wasRead ? "" : "Read it to its end, then it can be approved.")}</p>`}
    <${Why} error=${error} />
    <div class="buttons end"><button class="do" onClick=${() => ask(null)}>Not now</button>
      ${plan && html`<button class="do danger" disabled=${Boolean(why) || busy || !words.trim()} title=${words.trim() ? "" : "Say what is to be changed"} onClick=${() => judge(false)}>Reject</button>
      <button class="do main" disabled=${Boolean(why) || busy || !wasRead} onClick=${() => judge(true)}>Approve plan ${plan.round}</button>`}</div><//>`;
}

const KEYS = [
  ["/", "search"], ["?", "this help"], ["1 … 8", "the views, in their order"], ...VIEWS.map(([, title, key]) => [`g ${key}`, title]),
  ["j k ↓ ↑", "next, previous in a list"], ["h l ← →", "list to the left, to the right"], ["Enter", "open"], ["Esc", "close"], ["w", "what waits for you"],
  ["[ ]", "one record back, forward"], ["{ }", "a twentieth of the log back, forward"], ["n", "back to now"], ["t", "dark or light"],
];

const Help = () => html`<${Modal} title="Keys" kind="large"><dl class="keys">${KEYS.map(([key, words]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${words}</dd></div>`)}</dl>
  <p class="faint">Every button sends what you would type, and shows the command. In the graph: arrows move, + and − enlarge, 0 fits.</p>
  <div class="buttons end"><button class="do main" data-first onClick=${() => ask(null)}>Close</button></div><//>`;

export function Dialogs() {
  const { dialog } = store;
  if (!dialog) return null;
  if (dialog.kind === "plan") return html`<${Plan} key=${dialog.task} task=${dialog.task} />`;
  if (dialog.kind === "help") return html`<${Help} />`;
  return html`<${Wish} key=${dialog.title} dialog=${dialog} />`;
}
