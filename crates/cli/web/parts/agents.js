// The agents: what each does, on what, the last lines of its transcript as they come, and what it cost.
import { html } from "../lib.js";
import { shown } from "../store.js";
import { wish } from "../steer.js";
import { DOING, STAGES, line, plural, seen, spent, tokensOf } from "../words.js";
import { Ago, Do, Doing, Empty, FEW, Filter, Link, Task, passes } from "./common.js";
import { Grown } from "./list.js";

// Those who need somebody first, then those who work.
const ORDER = ["waiting_for_human", "stuck", "dead", "working", "waiting_for_model", "waiting_for_agent", "waiting_for_gate", "paused",
  "stopped", "idle", "gone", "left"];

/** Whether it has nothing to do, now or once the team goes on. */
const isQuiet = (agent) => !agent.holds.length && ["idle", "paused", "gone", "left"].includes(agent.doing);

/** Since when it does that, where its words do not say so. */
export const For = ({ agent }) => (agent.since_ms && !agent.words.includes(", for ") ? html`${" "}<span class="faint">for <${Ago} ms=${agent.since_ms} /></span>` : null);

// Nobody is there whose turn could be broken off, or who could be held up.
const AWAY = ["dead", "gone", "left"];

/** What can be done to an agent: what holds it up is taken away where it is, at the agent or at the whole team. */
export function Steered({ agent, main }) {
  const { doing, id } = agent;
  const { pauses } = shown();
  const away = AWAY.includes(doing);
  return html`<${Do} run=${() => wish.say(id)}>Say<//>
    ${doing !== "stopped" && !away && agent.holds.length > 0 && html`<${Do} run=${() => wish.interrupt(id)}>Interrupt<//>`}
    ${pauses.some((one) => one.agent === id) ? html`<${Do} main=${main} run=${() => wish.resume(id)}>Resume<//>`
    : away ? null : pauses.some((one) => one.agent == null) ? html`<${Do} run=${() => wish.resume()}>Resume team<//>`
      : html`<${Do} run=${() => wish.pause(id)}>Pause<//>`}`;
}

function Card({ agent }) {
  return html`<article class="card agent d-${agent.doing}" role="listitem">
    <h3><${Link} kind="agent" id=${agent.id} data-row />
      <span class="faint">${agent.role}${agent.skills.length ? ` (${agent.skills.map(line).join(", ")})` : ""}</span>
      <${Doing} doing=${agent.doing} words=${line(agent.words)} /></h3>
    ${agent.words !== DOING[agent.doing]?.[1] && html`<p class="words" title=${line(agent.words)}>${line(agent.words)}<${For} agent=${agent} /></p>`}
    ${!agent.left && html`<p class="holds">${agent.holds.length
    ? agent.holds.slice(0, 3).map(([task, stage]) => html`<span key=${task}><${Task} id=${task} /> <span class="faint">${STAGES[stage] ?? stage}</span> </span>`)
    : html`<span class="faint">holds no task</span>`}</p>`}
    ${agent.last.length > 0 && html`<div class="last" aria-label="The last lines of its transcript">
      ${agent.last.map((words, place) => html`<div key=${place} class=${words.startsWith("> ") || words.startsWith("  ") ? "tool" : ""}>${seen(words).trim()}</div>`)}</div>`}
    <footer>
      <span class="faint">${[agent.with && line(agent.with), spent(tokensOf(agent.spent), agent.spent.micro_usd), agent.completed ? `${plural(agent.completed, "task")} done` : "",
    agent.unread ? `${agent.unread} unread` : ""].filter(Boolean).join(" · ")}</span>
      ${!agent.left && agent.id !== "human" && html`<span class="buttons">
        ${agent.transcript && html`<${Link} kind="transcript" id=${agent.transcript} class="do">Transcript<//>`}
        <${Steered} agent=${agent} />
      </span>`}
    </footer>
  </article>`;
}

export function Agents() {
  const { agents } = shown();
  if (!agents.length) return html`<${Empty}>Nobody is in the team yet. <code>agent-team run</code> brings its agents, <code>agent-team claim --as NAME</code> a script of yours.<//>`;
  const place = (agent) => (agent.id === "human" ? 99 : ORDER.indexOf(agent.doing));
  const pass = passes("agents");
  const found = agents.filter((agent) => pass(agent.id, DOING[agent.doing]?.[1], agent.words, agent.role, ...agent.holds.map(([task]) => task)))
    .sort((a, b) => place(a) - place(b));
  // Of many, those who have nothing to do take a line each.
  const quiet = found.length > FEW ? found.filter(isQuiet) : [];
  const cards = quiet.length ? found.filter((agent) => !isQuiet(agent)) : found;
  return html`<section class="scroll"><h2 class="sr">Agents</h2>
    ${agents.length > FEW && html`<div class="tools"><${Filter} name="agents" label="Filter by name, state or task" /><span class="faint" role="status">${plural(found.length, "agent")}</span></div>`}
    ${!found.length && html`<${Empty}>Nobody has that in name, state or task.<//>`}
    ${cards.length > 0 && html`<${Grown} kind="cards" label="Agents" items=${cards} one=${(agent) => html`<${Card} key=${agent.id} agent=${agent} />`} />`}
    ${quiet.length > 0 && html`<h3 class="quiet-title">Nothing to do <span class="n">${quiet.length}</span></h3>
      <${Grown} kind="quiet" label="Agents that have nothing to do" step=${200} items=${quiet} one=${(agent) => html`<div key=${agent.id} role="listitem"><${Link} kind="agent" id=${agent.id} data-row /> <${Doing} doing=${agent.doing} words=${line(agent.words)} /></div>`} />`}</section>`;
}
