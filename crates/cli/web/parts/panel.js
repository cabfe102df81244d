// What is open beside the view: a task, an agent, a message, a transcript.
import { get } from "../api.js";
import { Doing, html, Link, Status, useAsked, useEffect, useRef, useState, Wrong } from "../base.js";
import { address } from "../route.js";
import { cancel, plan, reassign, retry, review, say, why } from "../steer.js";
import { firstLine, moment, seen, span, spent, textOf } from "../words.js";
import { AgentButtons } from "./agents.js";
import { Change } from "./change.js";
import { Message } from "./messages.js";
import { Transcript } from "./transcript.js";

export function Panel({ open, picture, at, now, version }) {
  const box = useRef();
  useEffect(() => { box.current.querySelector("h2")?.focus(); box.current.scrollTop = 0; }, [open.kind, open.id]);
  const Inner = { task: Task, agent: Agent, message: One, transcript: Alone }[open.kind];
  return html`<aside class="panel scrolls" ref=${box} aria-label=${`${open.kind} ${open.id}`}>
    <p class="closes"><a href=${address({ open: null })} aria-label="close" title="close (Esc)">✕</a></p>
    <${Inner} key=${`${open.kind} ${open.id}`} id=${open.id} picture=${picture} at=${at} now=${now} version=${version} />
  </aside>`;
}

const Head = ({ children }) => html`<h2 tabindex="-1">${children}</h2>`;

function Fact({ name, children }) {
  if (children == null || children === "" || (Array.isArray(children) && !children.length)) return null;
  return html`<dt>${name}</dt><dd>${children}</dd>`;
}

const Links = ({ ids, kind = "task" }) => ids.map((id, place) => html`${place ? ", " : ""}<${Link} kind=${kind} id=${id} />`);

function Section({ name, children, open = true }) {
  return html`<details class="section" open=${open}><summary><h3>${name}</h3></summary>${children}</details>`;
}

function Task({ id, picture, at, now }) {
  const row = picture.task(id);
  // Asked for anew whenever its row changed, or something was said.
  const { value, error } = useAsked(() => get(`task/${encodeURIComponent(id)}`, at), [id, row, picture.messages.length, at]);
  if (error && !value) return html`<${Head}>${id}<//><${Wrong} error=${error} />`;
  if (!value) return html`<${Head}>${seen(row?.title ?? id)}<//><p class="empty">Reading…</p>`;
  const { task, transcripts, messages } = value;
  const no = why();
  const button = (words, does, kind) => html`<button class=${kind} disabled=${Boolean(no)} title=${no} onClick=${does}>${words}</button>`;
  const ended = ["completed", "cancelled", "failed"].includes(task.status);
  const waits = task.plan && task.plan.approved == null;
  return html`<${Head}>${seen(task.title)}<//>
    <p class="about"><code>${seen(task.id)}</code> <${Status} of=${task.status} /> <span class="since">for ${span(now - task.since_ms)}</span>${task.agent ? html` · <${Link} kind="agent" id=${task.agent} /> (${task.stage})` : null}</p>
    ${task.waits_for ? html`<p class="waits">Waits for ${seen(task.waits_for)}${task.remedy ? html`<br /><code>${seen(task.remedy)}</code>` : null}</p>` : null}
    ${task.failure ? html`<p class="wrong">Failed: ${task.failure.replace(/_/g, " ")}</p>` : null}
    <p class="buttons small">
      ${waits ? button("Read and judge its plan", () => plan(id), "main") : null}
      ${task.status === "reviewing" ? button("Read and judge the result", () => review(id), "main") : null}
      ${ended && task.status !== "completed" ? button("Retry", () => retry(id), "main") : null}
      ${ended ? null : button("Say", () => say(`task:${id}`))}
      ${ended ? null : button("Reassign", () => reassign(id))}
      ${ended ? null : button("Cancel", () => cancel(id), "danger")}
    </p>
    ${textOf(task.description) ? html`<p class="text">${textOf(task.description)}</p>` : null}
    <dl class="facts">
      <${Fact} name="after">${task.after.length ? html`<${Links} ids=${task.after} />` : null}<//>
      <${Fact} name="before">${task.dependents.length ? html`<${Links} ids=${task.dependents} />` : null}<//>
      <${Fact} name="part of">${task.parent ? html`<${Link} kind="task" id=${task.parent} />` : null}<//>
      <${Fact} name="parts">${task.parts.length ? html`<${Links} ids=${task.parts} />` : null}<//>
      <${Fact} name="attempt">${task.attempt ? `${task.attempt} of ${task.attempts}` : null}<//>
      <${Fact} name="check">${task.check ? html`<code>${seen(task.check)}</code>` : null}<//>
      <${Fact} name="for">${[task.role, task.skill, task.for_agent].filter(Boolean).join(", ") || null}<//>
      <${Fact} name="labels">${task.labels.join(", ") || null}<//>
      <${Fact} name="review">${task.review ? `${task.approvals.length} of ${task.reviews} approvals` : null}<//>
      <${Fact} name="merged">${task.merged ? html`<code>${task.merged.slice(0, 12)}</code>` : null}<//>
      <${Fact} name="cost">${spent(task.spent) || null}<//>
      <${Fact} name="added">${moment(task.added_at_ms)}${task.asked_by ? html`, as <${Link} kind="agent" id=${task.asked_by} /> asked` : null}<//>
    </dl>
    ${task.plan ? html`<${Section} name=${`Plan ${task.plan.round} of ${task.plan.author}: ${waits ? "waits to be judged" : task.plan.approved ? "approved" : "sent back"}`}>
      <pre class="text">${textOf(task.plan.text)}</pre>${task.plan.feedback ? html`<p class="text"><b>${task.plan.judged_by}:</b> ${textOf(task.plan.feedback)}</p>` : null}<//>` : null}
    ${task.result ? html`<${Section} name="Result"><pre class="text">${textOf(task.result)}</pre>${task.check_output ? html`<p class="hint">its check said</p><pre class="text">${textOf(task.check_output)}</pre>` : null}<//>` : null}
    ${task.feedback.length ? html`<${Section} name=${`What went wrong (${task.feedback.length})`}>${[...task.feedback].reverse().map((one) => html`<div class="feedback"><p class="hint">attempt ${one.attempt} by ${one.agent}: ${one.cause.replace(/_/g, " ")}${one.reviewer ? ` by ${one.reviewer}` : ""}</p><pre class="text">${textOf(one.text)}</pre></div>`)}<//>` : null}
    ${task.commit || task.stage === "work" ? html`<${Section} name=${task.stage === "work" ? "The change so far" : "The change"}>${at == null ? html`<${Change} task=${id} version=${row} />` : html`<p class="hint">Files are those of today; go back to now to see them.</p>`}<//>` : null}
    ${transcripts.length ? html`<${Section} name=${`Attempts (${transcripts.length})`}><ul class="plain">${[...transcripts].reverse().map((one) => html`<li><${Link} kind="transcript" id=${one.token} text=${`${one.agent}: ${one.stage}, attempt ${one.attempt}`} />
      <span class="since">${span((one.to_ms ?? now) - one.from_ms)}${one.ending ? `, ${one.ending.replace(/_/g, " ")}` : ", under way"}</span></li>`)}</ul><//>` : null}
    ${messages.length ? html`<${Section} name=${`Messages (${messages.length})`}><ul class="messages">${messages.map((message) => html`<${Message} message=${message} />`)}</ul><//>` : null}
    ${task.late.length ? html`<${Section} name="Results that came too late">${task.late.map((late) => html`<p class="hint">${late.agent}, ${moment(late.at_ms)}</p><pre class="text">${textOf(late.result)}</pre>`)}<//>` : null}`;
}

function Agent({ id, picture, at, now }) {
  const agent = picture.agents.find((known) => known.id === id);
  if (!agent) return html`<${Head}>${seen(id)}<//><p class="empty">${id === "human" ? "That is you." : "It is no agent of the team."}</p>`;
  const mine = picture.messages.filter((message) => message.from === id || message.to === id);
  return html`<${Head}>${seen(agent.id)}<//>
    <p class="about"><span class="role">${agent.role}</span> <${Doing} of=${agent.doing} />${agent.since_ms ? html` <span class="since">for ${span(now - agent.since_ms)}</span>` : null}</p>
    <p>${seen(agent.words)}</p>
    ${agent.left ? null : html`<${AgentButtons} agent=${agent} />`}
    <dl class="facts">
      <${Fact} name="works on">${agent.holds.length ? html`<${Links} ids=${agent.holds.map(([task]) => task)} />` : null}<//>
      <${Fact} name="with">${seen(agent.with ?? "") || null}<//>
      <${Fact} name="skills">${agent.skills.join(", ") || null}<//>
      <${Fact} name="lead">${agent.lead ? html`<${Link} kind="agent" id=${agent.lead} />` : null}<//>
      <${Fact} name="done">${String(agent.completed)}<//>
      <${Fact} name="cost">${spent(agent.spent) || null}<//>
    </dl>
    ${agent.transcript ? html`<${Section} name="Transcript">${at == null ? html`<${Transcript} token=${agent.transcript} />` : html`<p class="hint">Transcripts are those of today: <${Link} kind="transcript" id=${agent.transcript} text="read it" /></p>`}<//>` : null}
    ${mine.length ? html`<${Section} name=${`Messages (${mine.length})`} open=${false}><ul class="messages">${[...mine].reverse().map((message) => html`<${Message} message=${message} />`)}</ul><//>` : null}`;
}

function One({ id, picture }) {
  const message = picture.messages.find((known) => known.id === id);
  if (!message) return html`<${Head}>A message<//><p class="empty">It is not among the newest ${picture.messages.length}: search finds it.</p>`;
  const thread = picture.messages.filter((known) => known.id === message.reply_to || known.reply_to === id);
  return html`<${Head}>${seen(firstLine(message.text).slice(0, 80))}<//>
    <ul class="messages"><${Message} message=${message} asks=${picture.questions.includes(id)} /></ul>
    <p class="hint">${moment(message.at_ms)}</p>
    ${thread.length ? html`<${Section} name="With it"><ul class="messages">${thread.map((known) => html`<${Message} message=${known} />`)}</ul><//>` : null}`;
}

function Alone({ id }) {
  return html`<${Head}>Transcript<//><${Transcript} token=${id} />`;
}
