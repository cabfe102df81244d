// What is asked before something is done, the reading of what is judged, and the keys.
import { html, useLayoutEffect, useRef, useState } from "../lib.js";
import { VIEWS } from "../route.js";
import { ask, shown, store, useAsked } from "../store.js";
import { act, whyNot } from "../steer.js";
import { line, moment, textOf } from "../words.js";
import { Awaited, Text } from "./common.js";
import { Patch } from "./diff.js";

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

/** The tasks whose ids begin or go on as the last word of a field does. */
function Ids({ id, typed }) {
  const [, before, word] = /^(.*?)([^\s,]*)$/s.exec(typed);
  const fit = [];
  for (const row of shown().tasks) if (row.id.includes(word) && fit.push(row) === 20) break;
  return html`<datalist id=${id}>${fit.map((row) => html`<option key=${row.id} value=${before + row.id}>${line(row.title)}</option>`)}</datalist>`;
}

function Field({ field, given, set, first }) {
  const change = (event) => set({ ...given, [field.name]: field.kind === "tick" ? event.currentTarget.checked : event.currentTarget.value });
  const more = first ? { "data-first": true } : {};
  const id = `field-${field.name}`;
  if (field.kind === "tick") return html`<label class="tick"><input type="checkbox" checked=${given[field.name]} onChange=${change} /> ${field.label}</label>`;
  const input = field.kind === "text" ? html`<textarea id=${id} rows="4" value=${given[field.name]} onInput=${change} ...${more}></textarea>`
    : field.kind === "choice" ? html`<select id=${id} value=${given[field.name]} onChange=${change} ...${more}>${field.choices.map(([value, words]) => html`<option key=${value} value=${value}>${line(words)}</option>`)}</select>`
      : html`${field.kind === "ids" && html`<${Ids} id=${`${id}-list`} typed=${given[field.name]} />`}<input id=${id} type="text" list=${field.kind === "ids" ? `${id}-list` : undefined} value=${given[field.name]} onInput=${change} onFocus=${(event) => event.currentTarget.select()} ...${more} />`;
  return html`<div class="field"><label for=${id}>${field.label}${field.must ? "" : html` <span class="faint">if you like</span>`}</label>${input}</div>`;
}

// What was typed into a dialog and not sent, by what it was for, until it is done.
const drafts = new Map();

function Wish({ dialog }) {
  const kept = dialog.keep ?? dialog.title;
  const [given, setGiven] = useState(() => drafts.get(kept) ?? Object.fromEntries(dialog.fields.map((field) => [field.name, field.value ?? (field.kind === "tick" ? false : "")])));
  const set = (now) => {
    drafts.set(kept, now);
    setGiven(now);
  };
  const { busy, error, send: does } = useSending();
  const lacks = dialog.fields.find((field) => field.must && !given[field.name].trim());
  const send = async (event) => {
    event.preventDefault();
    if (!lacks && await does((givenUp) => dialog.send(given, givenUp))) drafts.delete(kept);
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

/** What is to be read before it is judged: says when its end was on screen, with all that can be unfolded there. */
function ToRead({ of, label, ended, children }) {
  const box = useRef(null);
  const look = () => {
    const { clientHeight, scrollHeight, scrollTop } = box.current;
    if (clientHeight && scrollTop + clientHeight >= scrollHeight - 8 && !box.current.querySelector("[open] > .more")) ended();
  };
  useLayoutEffect(() => {
    box.current.scrollTop = 0;
    box.current.focus();
    // What is short is read at once, and so may be what the window has room for now.
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [of]);
  return html`<div class="to-read" ref=${box} tabindex="0" role="region" aria-label=${label} onScroll=${look} onToggleCapture=${look}>${children}</div>`;
}

/**
 * Something is judged where it was read, and by its number: another one that came meanwhile is not approved by it. To send it back
 * needs words; to approve it needs that it was read.
 */
function Judged({ title, awaited, lead, of, label, over, back, sentBack, approve, judge, children }) {
  const { busy, error, send } = useSending();
  const [read, setRead] = useState(null);
  const [words, say] = useState(drafts.get(title) ?? "");
  const setWords = (now) => {
    drafts.set(title, now);
    say(now);
  };
  const why = whyNot() || over;
  const lacks = why ? [why] : [read === of ? "" : "Read it to its end, then it can be approved.", words.trim() ? "" : `Say what is to be changed, then it can be ${sentBack}.`];
  const does = async (good) => { if (await send((givenUp) => judge(good, words, givenUp))) drafts.delete(title); };
  return html`<${Modal} title=${title} kind="large">
    ${awaited ?? html`<p class="faint">${lead}</p>
      <${ToRead} of=${of} label=${label} ended=${() => setRead(of)}>${children}<//>
      <div class="field"><label for="judged-words">What is to be changed, or a word with the approval</label><textarea id="judged-words" rows="2" value=${words} onInput=${(event) => setWords(event.currentTarget.value)}></textarea></div>
      <p class="faint" role="status">${lacks.join(" ")}</p>`}
    <${Why} error=${error} />
    <div class="buttons end"><button class="do" onClick=${() => ask(null)}>Not now</button>
      ${!awaited && html`<button class="do danger" disabled=${Boolean(why) || busy || !words.trim()} onClick=${() => does(false)}>${back}</button>
      <button class="do main" disabled=${Boolean(why) || busy || read !== of} onClick=${() => does(true)}>${approve}</button>`}</div><//>`;
}

function Plan({ task }) {
  const picture = shown();
  const said = useAsked(`task/${encodeURIComponent(task)}`, { at: store.at }, picture.records, 250);
  const plan = said.value?.task.plan;
  const awaited = !said.value ? html`<${Awaited} said=${said} />` : plan ? null : html`<p>There is no plan.</p>`;
  if (awaited) return html`<${Judged} title=${`Plan for ${line(task)}`} awaited=${awaited} />`;
  const judged = plan.approved == null ? "" : ` · ${plan.approved ? "approved" : "rejected"} by ${line(plan.judged_by ?? "")}`;
  return html`<${Judged} title=${`Plan for ${line(task)}`} of=${plan.round} label="The plan"
    lead=${`${line(said.value.task.title)} · plan ${plan.round} by ${line(plan.author)}, ${moment(plan.at_ms)}${judged}`}
    over=${judged || picture.task(task)?.plan !== "waits" ? "This plan was judged already." : ""}
    back="Reject" sentBack="rejected" approve=${`Approve plan ${plan.round}`}
    judge=${(good, text, givenUp) => act({ do: good ? "approve_plan" : "reject_plan", task, round: plan.round, text }, givenUp)}>
    <${Text} text=${plan.text} /><//>`;
}

function Result({ task: id }) {
  const row = shown().task(id);
  const path = `task/${encodeURIComponent(id)}`;
  const key = `${row?.status} ${row?.attempt} ${row?.since_ms}`;
  const said = useAsked(path, { at: store.at }, key);
  const change = useAsked(`${path}/diff`, {}, key);
  const title = `Result of ${line(id)}`;
  if (!said.value || !(change.value || change.error)) return html`<${Judged} title=${title} awaited=${html`<${Awaited} said=${said} />`} />`;
  const { task } = said.value;
  return html`<${Judged} title=${title} of=${task.attempt} label="The result and its change"
    lead=${`${line(task.title)} · attempt ${task.attempt} by ${line(task.author ?? "")}`}
    over=${row?.status !== "reviewing" || row.attempt !== task.attempt ? "This result does not wait to be judged any more." : ""}
    back="Send back" sentBack="sent back" approve=${`Approve attempt ${task.attempt}`}
    judge=${(approve, text, givenUp) => act({ do: "review", task: id, attempt: task.attempt, approve, text }, givenUp)}>
    <${Text} text=${task.result} />
    ${task.feedback.map((one, place) => html`<h3 key=${place}>Attempt ${one.attempt} was sent back${one.reviewer ? ` by ${line(one.reviewer)}` : ""}: ${line(one.cause)}</h3><div class="text quote">${textOf(one.text)}</div>`)}
    ${task.check && html`<h3>What its check said</h3><p><code>${line(task.check)}</code></p><pre>${textOf(task.check_output) || "Nothing."}</pre>`}
    <h3>Its change</h3>
    ${change.error ? html`<${Awaited} said=${change} />` : change.value.diff ? html`<div class="diff"><${Patch} patch=${change.value.diff} open /></div>` : html`<p class="faint">There is no change of files to see.</p>`}<//>`;
}

const KEYS = [
  ["/", "search"], ["f", "filter agents, or the board"], ["?", "this help"], ["1 … 8", "the views, in their order"], ...VIEWS.map(([, title, key]) => [`g ${key}`, title]),
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
  if (dialog.kind === "result") return html`<${Result} key=${dialog.task} task=${dialog.task} />`;
  if (dialog.kind === "help") return html`<${Help} />`;
  return html`<${Wish} key=${dialog.keep ?? dialog.title} dialog=${dialog} />`;
}
