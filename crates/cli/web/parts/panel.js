// What is open beside the view: a task, an agent, a message, a transcript, or all that waits for you.
import { html, useEffect, useRef } from "../lib.js";
import { go, read, to } from "../route.js";
import { shown, shownTime, store, useAsked } from "../store.js";
import { byKey } from "../keys.js";
import { wish } from "../steer.js";
import { count, line, money, plural, seen, span, tokensOf } from "../words.js";
import { Do, Doing, Empty, Link, Remedy, Task, waitsForYou } from "./common.js";
import { For, Steered } from "./agents.js";
import { Message, thread } from "./messages.js";
import { TaskPanel } from "./task.js";
import { Transcript } from "./transcript.js";

function AgentPanel({ id }) {
  const picture = shown();
  const agent = picture.agent(id);
  if (!agent) return html`<${Empty}>Nobody of the name ${line(id)} is in the team${picture.live ? "" : " at this record"}.<//>`;
  const said = picture.messages.filter((one) => one.from === id || one.to === id || one.readers.some((reader) => reader.agent === id)).slice(-20).reverse();
  const pause = picture.pauses.find((one) => one.agent === id);
  return html`<div class="panel-title"><h2>${line(id)} <${Doing} doing=${agent.doing} /></h2><p class="lead">${line(agent.words)}<${For} agent=${agent} /></p>
      ${!agent.left && id !== "human" && html`<div class="buttons"><${Steered} agent=${agent} main />${agent.doing !== "stopped" && html`<${Do} danger run=${() => wish.stop(id)}>Stop<//>`}</div>`}</div>
    ${pause?.reason && html`<p class="banner warn">${pause.stopped ? "Stopped" : "Paused"}: ${line(pause.reason)}</p>`}
    <dl class="facts"><dt>Role</dt><dd>${agent.role}${agent.skills.length ? `, skills: ${agent.skills.map(line).join(", ")}` : ""}</dd>
      ${agent.with && html`<dt>With</dt><dd><code>${line(agent.with)}</code></dd>`}${agent.lead && html`<dt>In the team of</dt><dd><${Link} kind="agent" id=${agent.lead} /></dd>`}
      <dt>Holds</dt><dd>${agent.holds.length ? agent.holds.slice(0, 40).map(([task, stage]) => html`<${Task} key=${task} id=${task} /> <span class="faint">${stage}</span> `) : "nothing"}</dd>
      <dt>Completed</dt><dd>${plural(agent.completed, "task")}</dd><dt>Spent</dt><dd>${plural(agent.spent.calls ?? 0, "call")}, ${count(tokensOf(agent.spent))} tokens, ${money(agent.spent.micro_usd)}</dd>
      ${agent.unread > 0 && html`<dt>Unread</dt><dd>${plural(agent.unread, "message")}</dd>`}</dl>
    ${agent.last.length > 0 && html`<h3>Last lines ${agent.transcript && html`<${Link} kind="transcript" id=${agent.transcript}>whole transcript<//>`}</h3><div class="last">${agent.last.map((words, place) => html`<div key=${place}>${seen(words)}</div>`)}</div>`}
    <h3>Messages</h3>${said.length ? said.map((one) => html`<${Message} key=${one.id} one=${one} />`) : html`<p class="faint">None.</p>`}`;
}

function MessagePanel({ id }) {
  const picture = shown();
  const all = thread(picture.messages, id);
  if (!all.length) return html`<${OldMessage} id=${id} />`;
  return html`<div class="panel-title"><h2>${all.length > 1 ? `Thread of ${all.length} messages` : "Message"}</h2></div>${all.map((one) => html`<div key=${one.id} class=${one.id === id ? "this" : ""}><${Message} one=${one} whole /></div>`)}`;
}

/** One that is not among the newest is asked for. */
function OldMessage({ id }) {
  const { value, error } = useAsked(`message/${encodeURIComponent(id)}`, store.at == null ? {} : { at: store.at });
  if (error) return html`<${Empty}>${error.message}${store.at == null ? "" : ", at this record"}.<//>`;
  if (!value) return html`<${Empty}>Reading…<//>`;
  return html`<div class="panel-title"><h2>Message</h2></div><div class="this"><${Message} one=${value} whole /></div>`;
}

function Waiting() {
  const picture = shown();
  const { plans, questions, reviews, mustReview } = waitsForYou(picture);
  const limited = picture.limited.filter((one) => one.until_ms > shownTime());
  const none = !plans.length && !questions.length && !reviews.length && !picture.stuck.length && !limited.length;
  return html`<div class="panel-title"><h2>What waits for you</h2></div>
    ${none && html`<${Empty}>Nothing.<//>`}
    ${plans.length > 0 && html`<h3>Plans to judge</h3><ul class="plain" data-list>${plans.map((id) => html`<li key=${id}><${Task} id=${id} /> ${line(picture.task(id)?.title)} <${Do} main run=${() => wish.plan(id)}>Read its plan<//></li>`)}</ul>`}
    ${questions.length > 0 && html`<h3>Questions to answer</h3>${questions.map((one) => html`<${Message} key=${one.id} one=${one} />`)}`}
    ${reviews.length > 0 && html`<h3>Results to review</h3><ul class="plain" data-list>${reviews.slice(0, 100).map((row) => html`<li key=${row.id}><${Task} id=${row.id} /> ${line(row.title)} <span class="faint">${mustReview.has(row.id) ? "only you can" : "a reviewer will, or you"}</span> <${Do} main=${mustReview.has(row.id)} run=${() => wish.result(row.id)}>Read its result<//></li>`)}</ul>`}
    ${picture.stuck.length > 0 && html`<h3>What will not happen by itself</h3><ul class="plain" data-list>${picture.stuck.slice(0, 100).map((one) => html`<li key=${one.task}><${Task} id=${one.task} /> waits for ${line(one.reason)}${one.remedy && html`<br /><${Remedy} text=${one.remedy} />`}</li>`)}</ul>
      ${picture.stuck.length > 100 && html`<p class="faint">and ${picture.stuck.length - 100} more</p>`}`}
    ${limited.length > 0 && html`<h3>Limited models</h3><ul class="plain">${limited.map((one) => html`<li key=${one.model}>${line(one.model)}: next try in ${span(one.until_ms - shownTime())}. <span class="faint">${line(one.reason)}</span></li>`)}</ul>`}`;
}

const NAMES = { task: "Task", agent: "Agent", message: "Message", transcript: "Transcript", waiting: "What waits" };

export function Panel() {
  const { open } = read();
  const box = useRef(null);
  const { kind, id, tab, find } = open;
  // A transcript goes to its own place.
  useEffect(() => { if (kind !== "transcript") box.current.scrollTop = 0; }, [kind, id, tab]);
  // On a phone it takes the place of all else; and whoever opened it by a key goes on in it.
  useEffect(() => { if (kind === "waiting" || byKey() || matchMedia("(max-width: 760px)").matches) box.current.focus(); }, [kind, id]);
  const inside = { task: () => html`<${TaskPanel} key=${id} id=${id} tab=${tab} />`, agent: () => html`<${AgentPanel} id=${id} />`, message: () => html`<${MessagePanel} id=${id} />`,
    transcript: () => html`<div class="panel-title"><h2>Transcript</h2></div><${Transcript} key=${`${id} ${find}`} token=${id} find=${find} within=${box} />`, waiting: () => html`<${Waiting} />` }[kind];
  return html`<aside class="panel" ref=${box} tabindex="-1" id="panel" aria-label=${`${NAMES[kind]} ${kind === "waiting" ? "" : line(id)}`}>
    <button class="icon close" onClick=${() => go({ open: null })} aria-label="Close (Esc)" title="Close (Esc)">×</button>
    ${inside()}</aside>`;
}
