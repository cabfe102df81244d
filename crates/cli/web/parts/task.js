// A task with all that is known of it, and what can be done about it.
import { html, useRef } from "../lib.js";
import { to } from "../route.js";
import { shown, store, useAsked } from "../store.js";
import { wish } from "../steer.js";
import { FAILURES, FIRST, STAGES, firstLine, line, moment, span, spent, textOf, tokensOf } from "../words.js";
import { Agent, Ago, Awaited, Do, Empty, Folded, Link, Remedy, Status, Task, Text, waitsForYou } from "./common.js";
import { Diff } from "./diff.js";
import { Records } from "./log.js";
import { Message } from "./messages.js";

const ENDED = ["completed", "failed", "cancelled"];
const TABS = [["", "Task"], ["change", "Change"], ["messages", "Messages"], ["history", "History"]];

/** To whom a task can be given. */
const candidates = (task) => shown().agents.filter((agent) => !agent.left && agent.doing !== "left" && agent.id !== "human" && agent.id !== task.agent
  && (task.role ? agent.role === task.role : !["lead", "reviewer"].includes(agent.role))
  && (!task.skill || agent.skills.includes(task.skill)) && (!task.team || agent.lead === task.team)).map((agent) => agent.id);

function Actions({ task, row }) {
  const status = row?.status ?? task.status;
  return html`<div class="buttons">
    ${task.plan && task.plan.approved == null && html`<${Do} main run=${() => wish.plan(task.id)}>Read its plan<//>`}
    ${status === "reviewing" && html`<${Do} main run=${() => wish.result(task.id)}>Read its result<//>`}
    ${(status === "failed" || status === "cancelled") && html`<${Do} main run=${() => wish.retry(task.id)}>Retry<//>`}
    <${Do} run=${() => wish.say(`task:${task.id}`)}>Say<//>
    ${!ENDED.includes(status) && html`<${Do} run=${() => wish.reassign(task.id, candidates(task), task.for_agent)}>Reassign<//><${Do} danger run=${() => wish.cancel(task.id)}>Cancel<//>`}
  </div>`;
}

const Ids = ({ title, ids }) => (ids.length ? html`<dt>${title}</dt><dd class="ids">${ids.slice(0, 60).map((id) => html`<${Task} key=${id} id=${id} /> `)}${ids.length > 60 && `and ${ids.length - 60} more`}</dd>` : null);

function About({ task, transcripts }) {
  const fact = (title, value) => (value ? html`<dt>${title}</dt><dd>${value}</dd>` : null);
  return html`
    ${task.waits_for && !waitsForYou(shown()).asking.has(task.id) && html`<p class="banner ${task.remedy ? "warn" : "past"}">Waits for ${line(task.waits_for)}${task.remedy ? html`<br />What helps: <${Remedy} text=${task.remedy} />` : ""}</p>`}
    ${waitsForYou(shown()).questions.filter((one) => one.task === task.id).map((one) => html`<p class="banner warn" key=${one.id}>${line(one.from)} asks you: ${firstLine(one.text)}${" "}
      <${Do} main run=${() => wish.answer(one)}>Answer<//></p>`)}
    ${task.failure && html`<p class="banner bad">Failed: ${FAILURES[task.failure]?.[1] ?? line(task.failure)}</p>`}
    <${Text} text=${task.description} />
    <dl class="facts">
      ${fact("Held by", task.agent && html`<${Agent} id=${task.agent} /> for ${STAGES[task.stage] ?? task.stage}`)}
      ${fact("Attempt", task.attempt <= task.attempts ? `${task.attempt} of at most ${task.attempts}` : task.attempt)}
      ${fact("For", task.for_agent ? html`<${Agent} id=${task.for_agent} />` : task.skill ? `who has the skill ${line(task.skill)}` : task.role)}
      ${fact("Priority", task.priority === FIRST ? "first" : task.priority)}
      ${fact("Check", task.check && html`<code>${line(task.check)}</code>`)}
      <${Ids} title="After" ids=${task.after} /><${Ids} title="Before" ids=${task.dependents} />
      ${fact("Part of", task.parent && html`<${Task} id=${task.parent} />`)}<${Ids} title="Parts" ids=${task.parts} />
      ${fact("Plans anew", task.replans && html`<${Task} id=${task.replans} />`)}${fact("Planned anew by", task.replan && html`<${Task} id=${task.replan} />`)}
      ${fact("Review", task.review ? `${task.approvals.length} of ${task.reviews} approved${task.approvals.length ? ` (${task.approvals.map(line).join(", ")})` : ""}${task.review_rounds ? `, sent back ${task.review_rounds} times` : ""}` : null)}
      ${fact("Labels", task.labels.map(line).join(", "))}
      ${fact("Merged as", task.merged && html`<code>${line(task.merged).slice(0, 12)}</code>`)}
      ${fact("Spent", spent(tokensOf(task.spent), task.spent.micro_usd))}
      ${fact("Added", html`${moment(task.added_at_ms)}`)}
    </dl>
    ${task.plan && html`<h3>Plan ${task.plan.round} of ${line(task.plan.author)} <span class="mark ${task.plan.approved == null ? "you" : task.plan.approved ? "good" : "bad"}">${task.plan.approved == null ? "waits to be judged" : task.plan.approved ? `approved by ${line(task.plan.judged_by ?? "")}` : `rejected by ${line(task.plan.judged_by ?? "")}`}</span></h3>
      <${Text} text=${task.plan.text} kind="clamp" />${task.plan.feedback && html`<${Text} text=${task.plan.feedback} kind="quote" />`}`}
    ${task.result && html`<h3>Result ${task.author && html`<span class="faint">by ${line(task.author)}</span>`}</h3><${Text} text=${task.result} />`}
    <${Folded} title="What its check said" text=${task.check_output} />
    ${task.gate?.output && html`<${Folded} title=${`What the gate said of attempt ${task.gate.refused}`} text=${task.gate.output} />`}
    ${task.feedback.length > 0 && html`<h3>What went wrong</h3>${task.feedback.slice().reverse().map((one, place) => html`<details class="fold" key=${place} open=${place === 0}><summary>Attempt ${one.attempt} by ${line(one.agent)}: <b>${one.cause}</b>${one.reviewer ? ` (${line(one.reviewer)})` : ""}</summary><pre>${textOf(one.text)}</pre></details>`)}`}
    ${(transcripts.length > 0 || task.claims.length > 0) && html`<h3>Attempts</h3><ul class="plain" data-list>${transcripts.map((one) => html`<li key=${one.token}>
      <${Link} kind="transcript" id=${one.token} data-row>${STAGES[one.stage] ?? one.stage} ${one.attempt} by ${line(one.agent)}<//> <span class="faint">${one.to_ms ? `${span(one.to_ms - one.from_ms)}, ${line(one.words)}` : html`goes on for <${Ago} ms=${one.from_ms} />`}</span></li>`)}</ul>`}
    ${task.late.length > 0 && html`<h3>Came too late</h3>${task.late.map((one) => html`<${Folded} key=${one.token} title=${`${line(one.agent)}, ${moment(one.at_ms)}`} text=${one.result} />`)}`}`;
}

export function TaskPanel({ id, tab }) {
  const picture = shown();
  const row = picture.task(id);
  const newest = picture.messages.at(-1)?.id;
  const said = useAsked(`task/${encodeURIComponent(id)}`, { at: store.at }, `${row?.status} ${row?.agent} ${row?.plan} ${row?.attempt} ${row?.since_ms} ${row?.tokens} ${newest}`, 250);
  // While the next answer is awaited the last one stays.
  const last = useRef(null);
  if (said.value) last.current = said.value;
  // Of another record the task may not be there.
  const value = said.error ? null : last.current;
  if (!value) return html`<h2 class="panel-title"><span class="id">${line(id)}</span></h2><${Awaited} said=${said} />`;
  const { task, transcripts, messages } = value;
  return html`<div class="panel-title"><h2><span class="id">${line(id)}</span> <${Status} status=${row?.status ?? task.status} /> <span class="faint"><${Ago} ms=${row?.since_ms ?? task.since_ms} /></span></h2>
      <p class="lead">${line(task.title)}</p>
      <${Actions} task=${task} row=${row} /></div>
    <nav class="tabs" aria-label="Of this task">${TABS.map(([name, title]) => html`<a key=${name} href=${to("task", id, name)} aria-current=${tab === name ? "page" : undefined}>${title}${name === "messages" && messages.length ? ` ${messages.length}` : ""}</a>`)}</nav>
    ${tab === "change" ? html`<${Diff} task=${id} row=${row} />`
    : tab === "history" ? html`<div class="panel-log"><${Records} task=${id} height=${48} /></div>`
      : tab === "messages" ? (messages.length ? messages.map((one) => html`<${Message} key=${one.id} one=${one} />`) : html`<${Empty}>Nobody said anything in its thread.<//>`)
        : html`<${About} task=${task} transcripts=${transcripts} />`}`;
}
