// What was spent, over time and by agent.
import { html, useMemo, useState } from "../lib.js";
import { shown, store, useAsked } from "../store.js";
import { accountOf, clock, count, line, moment, money, tokensOf } from "../words.js";
import { Agent, Awaited, Empty, Task } from "./common.js";

const [WIDTH, HEIGHT, LEFT, BELOW] = [900, 300, 64, 24];
const STEPS = 160;
const MOST = 7;

/** What each agent had spent at each step of time; small ones together. */
function series(points, what) {
  const totals = new Map();
  for (const one of points) totals.set(one.agent, (totals.get(one.agent) ?? 0) + one[what]);
  const agents = [...totals].sort((a, b) => b[1] - a[1]).map(([agent]) => agent);
  const named = agents.length > MOST + 1 ? agents.slice(0, MOST) : agents;
  const place = new Map(agents.map((agent, n) => [agent, Math.min(n, named.length)]));
  const names = named.length < agents.length ? [...named, `${agents.length - named.length} others`] : named;
  const [from, until] = [points[0].at_ms, points.at(-1).at_ms];
  const long = Math.max(1, until - from);
  const sums = Array.from({ length: STEPS + 1 }, () => new Float64Array(names.length));
  for (const one of points) {
    const step = Math.min(STEPS, Math.max(0, Math.ceil(((one.at_ms - from) / long) * STEPS)));
    sums[step][place.get(one.agent)] += one[what];
  }
  for (let step = 1; step <= STEPS; step += 1) for (let n = 0; n < names.length; n += 1) sums[step][n] += sums[step - 1][n];
  return { names, sums, from, until, total: [...totals.values()].reduce((a, b) => a + b, 0) };
}

function Chart({ points, what }) {
  const { names, sums, from, until, total } = useMemo(() => series(points, what), [points, what]);
  const say = what === "micro_usd" ? money : count;
  const x = (step) => LEFT + (step / STEPS) * (WIDTH - LEFT - 8);
  const y = (value) => HEIGHT - BELOW - (value / (total || 1)) * (HEIGHT - BELOW - 14);
  const areas = names.map((name, n) => {
    const below = sums.map((sum) => sum.slice(0, n).reduce((a, b) => a + b, 0));
    const upper = sums.map((sum, step) => `${x(step).toFixed(1)},${y(below[step] + sum[n]).toFixed(1)}`);
    const lower = below.map((value, step) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).reverse();
    return html`<path key=${name} class="area a${n}" d=${`M${upper.join("L")}L${lower.join("L")}Z`}><title>${line(name)}: ${say(sums[STEPS][n])}</title></path>`;
  });
  return html`<figure><svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} class="chart" role="img" aria-label=${`What was spent over time, ${say(total)} in all`}>
    ${[0, 0.25, 0.5, 0.75, 1].map((part) => html`<g key=${part}><line x1=${LEFT} x2=${WIDTH - 8} y1=${y(total * part)} y2=${y(total * part)} /><text x=${LEFT - 8} y=${y(total * part) + 4} text-anchor="end">${say(total * part)}</text></g>`)}
    ${areas}
    ${[0, 0.5, 1].map((part) => html`<text key=${`t${part}`} x=${x(part * STEPS)} y=${HEIGHT - 6} text-anchor=${["start", "middle", "end"][part * 2]}>${clock(from + (until - from) * part)}</text>`)}
  </svg>
  <figcaption>${names.map((name, n) => html`<span key=${name}><i class="swatch a${n}"></i>${line(name)} <span class="faint">${say(sums[STEPS][n])}</span></span>`)}</figcaption></figure>`;
}

export function Cost() {
  const picture = shown();
  const said = useAsked("cost", { at: store.at }, picture.records, 700);
  const [chosen, choose] = useState(null);
  const tasks = useMemo(() => picture.tasks.filter((row) => row.micro_usd || row.tokens).sort((a, b) => b.micro_usd - a.micro_usd || b.tokens - a.tokens).slice(0, 20), [picture.tasks]);
  if (!said.value) return html`<${Awaited} said=${said} />`;
  const { points } = said.value;
  const what = chosen ?? (picture.spent.micro_usd ? "micro_usd" : "tokens");
  const agents = picture.agents.filter((agent) => tokensOf(agent.spent) || agent.spent.calls).sort((a, b) => b.spent.micro_usd - a.spent.micro_usd || tokensOf(b.spent) - tokensOf(a.spent));
  const limits = picture.budgets.filter((one) => one.used_percent != null);
  if (!points.length) return html`<${Empty}>Nothing was spent yet${picture.budgets.length ? "" : ", and nothing is limited"}.<//>`;
  return html`<section class="scroll cost-view"><h2 class="sr">Cost</h2>
    <div class="tools"><div class="tabs" role="group" aria-label="What is counted"><button aria-pressed=${what === "micro_usd"} onClick=${() => choose("micro_usd")}>Money</button><button aria-pressed=${what === "tokens"} onClick=${() => choose("tokens")}>Tokens</button></div>
      <span class="faint">${moment(points[0].at_ms)} to ${clock(points.at(-1).at_ms)}</span></div>
    <${Chart} points=${points} what=${what} />
    <div class="tables">
      <div class="wide"><h3>By agent</h3><table><thead><tr><th>Agent</th><th class="num">Calls</th><th class="num">Read</th><th class="num">Written</th><th class="num">Cost</th></tr></thead>
        <tbody>${agents.map((agent) => html`<tr key=${agent.id}><td><${Agent} id=${agent.id} /></td><td class="num">${count(agent.spent.calls ?? 0)}</td><td class="num">${count(agent.spent.input_tokens)}</td>
          <td class="num">${count(agent.spent.output_tokens)}</td><td class="num">${money(agent.spent.micro_usd)}</td></tr>`)}</tbody>
        <tfoot><tr><th>All</th><td class="num">${count(picture.spent.calls ?? 0)}</td><td class="num">${count(picture.spent.input_tokens)}</td><td class="num">${count(picture.spent.output_tokens)}</td><td class="num">${money(picture.spent.micro_usd)}</td></tr></tfoot></table></div>
      <div class="wide"><h3>Dearest tasks</h3><table><thead><tr><th>Task</th><th class="num">Tokens</th><th class="num">Cost</th></tr></thead>
        <tbody>${tasks.map((row) => html`<tr key=${row.id}><td><${Task} id=${row.id} /> <span class="faint">${line(row.title)}</span></td><td class="num">${count(row.tokens)}</td><td class="num">${money(row.micro_usd)}</td></tr>`)}</tbody></table></div>
      ${limits.length > 0 && html`<div class="wide"><h3>Budgets</h3><table><thead><tr><th>Whose</th><th>Nearest limit</th><th class="num">Used</th><th class="num">Set aside</th></tr></thead>
        <tbody>${limits.map((one) => html`<tr key=${accountOf(one.account)}><td>${line(accountOf(one.account))}</td><td>${one.nearest}</td><td class="num ${one.is_near_end ? "warn" : ""}">${one.used_percent} %</td><td class="num">${one.reserved_percent ?? 0} %</td></tr>`)}</tbody></table></div>`}
    </div>
  </section>`;
}
