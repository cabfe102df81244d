// The agents: what each does, and the last words of its transcript.
import { Doing, html, Link } from "../base.js";
import { address } from "../route.js";
import { interrupt, pause, resume, say, stop, why } from "../steer.js";
import { seen, span, spent } from "../words.js";

const ORDER = { waiting_for_human: 0, stuck: 1, dead: 2, working: 3, waiting_for_model: 3, waiting_for_gate: 4, waiting_for_agent: 4, paused: 5, stopped: 5, idle: 6, gone: 7, left: 8 };

export function Agents({ picture, now }) {
  // After a run nobody is there: then those who were are shown, with their last words.
  const members = picture.agents.filter((agent) => !agent.left);
  const there = members.length ? members : picture.agents;
  const sorted = [...there].sort((one, other) => (ORDER[one.doing] ?? 9) - (ORDER[other.doing] ?? 9) || one.id.localeCompare(other.id, undefined, { numeric: true }));
  if (!sorted.length) return html`<p class="empty">Nobody is in the team. <code>agent-team run</code> brings its agents; <code>agent-team claim --as worker-1</code> makes a script one.</p>`;
  return html`<div class="cards">${sorted.map((agent) => html`<${Card} key=${agent.id} agent=${agent} now=${now} />`)}</div>`;
}

function Card({ agent, now }) {
  const [held] = agent.holds;
  return html`<article class=${`card ${agent.doing}`} aria-label=${agent.id}>
    <header>
      <h3><a data-item href=${address({ open: { kind: "agent", id: agent.id } })}>${seen(agent.id)}</a></h3>
      <span class="role">${agent.role}</span>
      <${Doing} of=${agent.doing} />
      ${agent.since_ms ? html`<span class="since">${span(now - agent.since_ms)}</span>` : null}
    </header>
    <p class="words">${held ? html`<${Link} kind="task" id=${held[0]} /> ` : null}${wordsOf(agent, held)}</p>
    ${agent.last.length ? html`<pre class="last">${agent.last.map((line) => `${seen(line)}\n`)}</pre>` : null}
    <footer><span>${agent.completed} done${spent(agent.spent) ? ` · ${spent(agent.spent)}` : ""}${agent.unread ? ` · ${agent.unread} unread` : ""}</span><span class="with">${seen(agent.with ?? "")}</span></footer>
    ${agent.left ? null : html`<${AgentButtons} agent=${agent} />`}
  </article>`;
}

/** What it does, without the task that is named before it. */
function wordsOf(agent, held) {
  const words = seen(agent.words);
  return held && words.startsWith(held[0]) ? words.slice(held[0].length).replace(/^: /, "") : words;
}

export function AgentButtons({ agent }) {
  const no = why();
  const one = (words, does, kind) => html`<button class=${kind} disabled=${Boolean(no)} title=${no} onClick=${does}>${words}</button>`;
  const held = agent.doing === "paused" || agent.doing === "stopped" || agent.paused;
  return html`<p class="buttons small">
    ${one("Say", () => say(agent.id))}
    ${one("Interrupt", () => interrupt(agent.id))}
    ${held ? one("Resume", () => resume(agent.id), "main") : one("Pause", () => pause(agent.id))}
    ${one("Stop", () => stop(agent.id), "danger")}
  </p>`;
}
