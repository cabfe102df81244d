// What was spent, over time and by agent.
import { get } from "../api.js";
import { html, Link, useAsked, useMemo, Wrong } from "../base.js";
import { clock, count, money, plural, tokensOf } from "../words.js";

const WIDE = 1000;
const HIGH = 260;
/** How many steps are drawn. */
const STEPS = 300;
/** How many agents have a colour of their own; the others are one. */
const COLOURS = 8;

export function Cost({ picture, at }) {
  const { value, error } = useAsked(() => get("cost", at), [picture.spent.micro_usd, tokensOf(picture.spent), at]);
  if (error && !value) return html`<${Wrong} error=${error} />`;
  if (!value) return html`<p class="empty">Reading…</p>`;
  return html`<${Budgets} of=${picture.budgets} /><${Spent} points=${value.points} picture=${picture} />`;
}

function Budgets({ of }) {
  const limited = of.filter((budget) => budget.used_percent != null);
  if (!limited.length) return html`<p class="hint">No limit is set. <code>agent-team budget team --usd 5</code> sets one.</p>`;
  return html`<ul class="budgets">${limited.map((budget) => {
    const name = typeof budget.account === "string" ? `the ${budget.account}` : Object.entries(budget.account).map(([kind, id]) => `${kind} ${id}`)[0];
    return html`<li class=${budget.is_near_end ? "near" : ""}><label>${name}: ${budget.used_percent}% of its ${budget.nearest ?? "limit"} used${budget.reserved_percent ? `, ${budget.reserved_percent}% set aside` : ""}
      <progress max="100" value=${Math.min(100, budget.used_percent)} /></label></li>`;
  })}</ul>`;
}

/** What was spent so far at each step, by agent. */
function sums(points, inMoney) {
  const value = (point) => (inMoney ? point.micro_usd : point.tokens);
  const totals = new Map();
  for (const point of points) totals.set(point.agent, (totals.get(point.agent) ?? 0) + value(point));
  const named = [...totals].sort((one, other) => other[1] - one[1]).map(([agent]) => agent);
  const own = named.length > COLOURS ? named.slice(0, COLOURS - 1) : named;
  const names = named.length > own.length ? [...own, null] : own;
  const place = new Map(named.map((agent) => [agent, Math.max(0, own.includes(agent) ? own.indexOf(agent) : own.length)]));
  const [from, to] = [points[0].at_ms, Math.max(points[0].at_ms + 1, ...points.slice(-50).map((point) => point.at_ms))];
  const steps = Array.from({ length: STEPS + 1 }, () => null);
  const sum = names.map(() => 0);
  let next = 0;
  for (let step = 0; step <= STEPS; step += 1) {
    const until = from + ((to - from) * step) / STEPS;
    while (next < points.length && points[next].at_ms <= until) {
      sum[place.get(points[next].agent)] += value(points[next]);
      next += 1;
    }
    steps[step] = [...sum];
  }
  return { names, steps, from, to, most: Math.max(1, sum.reduce((all, one) => all + one, 0)) };
}

function Spent({ points, picture }) {
  const inMoney = points.some((point) => point.micro_usd);
  const of = useMemo(() => (points.length ? sums(points, inMoney) : null), [points]);
  if (!of) return html`<p class="empty">Nothing was spent yet.</p>`;
  const words = (value) => (inMoney ? money(value) : `${count(Math.round(value))} tokens`);
  const x = (step) => (step / STEPS) * WIDE;
  const y = (value) => HIGH - (value / of.most) * (HIGH - 10);
  const area = (number) => {
    const below = (step) => of.steps[step].slice(0, number).reduce((all, one) => all + one, 0);
    const upper = of.steps.map((sum, step) => `${x(step)} ${y(below(step) + sum[number])}`);
    const lower = of.steps.map((_, step) => `${x(step)} ${y(below(step))}`).reverse();
    return `M${upper.join("L")}L${lower.join("L")}z`;
  };
  return html`<figure class="cost">
      <div class="scale"><span>${words(of.most)}</span><span>${words(of.most / 2)}</span><span>0</span></div>
      <svg viewBox=${`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label=${`what was spent: ${words(of.most)} from ${clock(of.from)} to ${clock(of.to)}`}>
        ${of.names.map((name, number) => html`<path key=${name} class=${`c${number}`} d=${area(number)}><title>${name ?? "others"}</title></path>`)}
      </svg>
      <span /><div class="ticks"><span>${clock(of.from)}</span><span>${clock((of.from + of.to) / 2)}</span><span>${clock(of.to)}</span></div>
      <figcaption>${of.names.map((name, number) => html`<span><i class=${`c${number}`} /> ${name ?? "others"}</span>`)}</figcaption>
    </figure>
    <table><thead><tr><th>agent</th><th>calls</th><th>tokens in</th><th>tokens out</th><th>cost</th><th>tasks done</th></tr></thead>
      <tbody>${[...picture.agents].sort((one, other) => other.spent.micro_usd - one.spent.micro_usd || tokensOf(other.spent) - tokensOf(one.spent)).map((agent) => html`<tr key=${agent.id}>
        <td><${Link} kind="agent" id=${agent.id} /></td><td class="number">${count(agent.spent.calls ?? 0)}</td><td class="number">${count(agent.spent.input_tokens)}</td><td class="number">${count(agent.spent.output_tokens)}</td>
        <td class="number">${agent.spent.micro_usd ? money(agent.spent.micro_usd) : ""}</td><td class="number">${agent.completed}</td></tr>`)}</tbody>
      <tfoot><tr><td>all</td><td class="number">${count(picture.spent.calls ?? 0)}</td><td class="number">${count(picture.spent.input_tokens)}</td><td class="number">${count(picture.spent.output_tokens)}</td><td class="number">${picture.spent.micro_usd ? money(picture.spent.micro_usd) : ""}</td><td class="number">${picture.counts.completed}</td></tr></tfoot></table>
    <p class="hint">${plural(points.length, "expense")}.</p>`;
}
