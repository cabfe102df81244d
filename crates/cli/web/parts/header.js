// What stands above everything: the team, its goal, how far it is, what it cost, and what is out of the ordinary.
import { html } from "../lib.js";
import { address, go, read, to } from "../route.js";
import { shown, shownTime, store } from "../store.js";
import { whyNot, wish } from "../steer.js";
import { STATUSES, accountOf, count, line, moment, money, number, plural, span, textOf, tokensOf } from "../words.js";
import { Do, byStatus, useNarrow, waitsForYou } from "./common.js";
import { nextTheme, theme } from "../theme.js";

function Progress({ by, total }) {
  const parts = ["completed", "merging", "reviewing", "verifying", "running", "ready", "blocked", "failed", "cancelled"];
  const there = parts.filter((status) => by[status].length);
  const words = there.map((status) => `${by[status].length} ${status}`).join(", ");
  return html`<div class="progress">
    <div class="bar" role="img" aria-label=${`${plural(total, "task")}: ${words || "none yet"}`}>
      ${there.map((status) => html`<i key=${status} class="f-${status}" style=${{ flexGrow: by[status].length }}></i>`)}
    </div>
    <div class="legend">
      ${there.map((status) => html`<span key=${status} class="status s-${status}">
        <span class="sign" aria-hidden="true">${STATUSES[status]}</span><b>${count(by[status].length)}</b> ${status}</span>`)}
      ${!total && html`<span class="faint">No tasks yet</span>`}
    </div>
  </div>`;
}

function Spent({ picture }) {
  const budget = picture.budgets.filter((one) => one.used_percent != null && !one.account.task && !one.account.agent)
    .sort((a, b) => b.used_percent - a.used_percent)[0];
  const reserved = picture.reserved?.micro_usd ? `, ${money(picture.reserved.micro_usd)} set aside for calls under way` : "";
  return html`<div class="spent" title=${`${plural(picture.spent.calls ?? 0, "call")} to models${reserved}`}>
    <span><b>${money(picture.spent.micro_usd)}</b>${budget?.limit_micro_usd ? html` <span class="faint">of ${money(budget.limit_micro_usd)}</span>` : ""}</span>
    <span class="faint">${count(tokensOf(picture.spent))} tokens</span>
    ${budget && html`<span class=${budget.used_percent >= 100 ? "bad" : budget.is_near_end ? "warn" : "faint"}>
      ${budget.used_percent} % of the ${accountOf(budget.account)}'s ${budget.nearest}</span>`}
  </div>`;
}

function Connection({ picture, narrow }) {
  if (store.at != null) return html`<button class="state past" onClick=${() => go({ at: null })}>${narrow ? "" : `record ${number(picture.records)} of ${number(store.now.records)} · `}back to now</button>`;
  const [kind, sign, words] = store.connection !== "live" ? ["off", "◌", store.away ? "reconnecting" : "connecting"] : picture.read_only ? ["ro", "▣", "read-only"] : ["live", "●", "connected"];
  // For how long is seen, and not said anew each second.
  return html`<span class="state ${kind}" role="status" title=${words}><span aria-hidden="true">${sign}</span> <span class=${kind === "live" ? "sr" : ""}>${words}</span>
    ${kind === "off" && store.away && html`<span aria-hidden="true"> since ${span(store.clock - store.away)}</span>`}</span>`;
}

function WaitsForYou({ picture }) {
  const { plans, questions, mustReview } = waitsForYou(picture);
  const open = (words, where, run) => html`<a class="you" href=${where} onClick=${run}>${words}</a>`;
  // What is the only one of its kind is read at once.
  const only = (ids, read) => (event) => {
    if (ids.length !== 1) return;
    event.preventDefault();
    read(ids[0]);
  };
  const inbox = to("waiting", "you");
  return html`<div class="waits">
    ${plans.length > 0 && open(`${plural(plans.length, "plan")} to judge`, inbox, only(plans, wish.plan))}
    ${questions.length > 0 && open(`${plural(questions.length, "question")} to answer`, questions.length === 1 ? to("message", questions[0].id) : inbox)}
    ${mustReview.size > 0 && open(`${plural(mustReview.size, "result")} to review`, inbox, only([...mustReview], wish.result))}
  </div>`;
}

function Banners({ picture, narrow }) {
  const now = shownTime();
  const team = picture.pauses.find((pause) => pause.agent == null);
  const limited = picture.limited.filter((one) => one.until_ms > now);
  const said = [];
  if (team) said.push([html`The team is paused for ${span(now - team.at_ms)}${team.reason ? html`: ${line(team.reason)}` : ""}.`,
    !whyNot() && html`<button class="link" onClick=${() => wish.resume()}>Resume it</button>`]);
  for (const one of limited) said.push([html`${line(one.model)} takes no calls for ${span(one.until_ms - now)}: ${line(one.reason)}`]);
  const unable = picture.agents.filter((agent) => agent.left_because);
  if (unable.length) said.push(["bad", html`${line(unable[0].id)}${unable.length > 1 ? ` and ${unable.length - 1} more` : ""} left: ${line(unable[0].left_because)}`]);
  const run = picture.runs.at(-1);
  if (run && run.to_ms == null && !picture.is_run) said.push([html`The last run was cut off. <code>agent-team run</code> goes on where it was.`]);
  if (run?.to_ms != null && !picture.is_run && waitsForYou(picture).all > 0) said.push([html`The run ended, and something waits for you: once you have answered,
    <code>agent-team run</code> goes on with it.`]);
  if (picture.stuck.length) said.push([html`${plural(picture.stuck.length, "task")} ${picture.stuck.length === 1 ? "waits" : "wait"} for what will not happen by itself.`,
    html`<a href=${to("waiting", "you")}>See what helps</a>`]);
  const all = said.map(([words, helps], place) => html`<p key=${place} class="banner warn">${words}${helps && html`${" "}${helps}`}</p>`);
  // On a phone they are one line, until it is opened.
  return html`<div class="banners" role="status">${narrow && said.length ? html`<details><summary class="banner warn"><span>${said[0][0]}</span>${said.length > 1 && html`<b>+${said.length - 1}</b>`}</summary>${all}</details>` : all}</div>`;
}

function Run({ picture }) {
  const run = picture.runs.at(-1);
  if (!run) return html`<span class="faint">No run yet</span>`;
  const how = run.rehearsal ? "scripted run" : "run";
  if (picture.read_only && run.to_ms == null) return html`<span class="faint">the log ends within a ${how}, at ${moment(shownTime())}</span>`;
  if (picture.is_run) return html`<span>${how} for ${span(shownTime() - run.from_ms)}</span>`;
  return html`<span class="faint">no run now; the last one ${run.outcome ? html`ended: <b>${line(run.outcome)}</b>` : "was cut off"}</span>`;
}

export function Header({ search }) {
  const picture = shown();
  const by = byStatus(picture.tasks);
  const { goal } = picture;
  const paused = picture.pauses.some((pause) => pause.agent == null);
  const narrow = useNarrow();
  const team = html`<${Do} run=${wish.add}>Add task<//><${Do} run=${() => wish.say(null)}>Say<//>
    ${paused ? html`<${Do} run=${() => wish.resume()} main>Resume<//>` : html`<${Do} run=${() => wish.pause()}>Pause team<//>`}`;
  const page = html`<button class="icon" onClick=${nextTheme} title=${`Colours: ${theme()}`} aria-label=${`Colours: ${theme()}. Change`}>${{ auto: "◐", dark: "●", light: "○" }[theme()]}</button>
    <button class="icon" onClick=${wish.help} title="Keys (?)" aria-label="Keys and help">?</button>`;
  const name = html`<h1><a href=${address({ view: "agents", open: null })}>${line(picture.name)}</a></h1>`;
  const find = html`<form class="search" role="search" onSubmit=${(event) => event.preventDefault()}>
    <input ref=${search} type="search" placeholder="Search  /" aria-label="Search in tasks, messages and transcripts" value=${read().view === "search" ? read().q : ""}
      onInput=${(event) => go({ view: "search", q: event.currentTarget.value }, read().view === "search")} /></form>`;
  const what = goal?.goal && html`<details class="goal"><summary>${line(goal.goal.split("\n")[0])}</summary>
    <div class="text">${textOf(goal.goal)}</div>
    ${goal.check && html`<p>Proved by <code>${line(goal.check)}</code></p>`}</details>`;
  const progress = html`<${Progress} by=${by} total=${picture.tasks.length} />`;
  if (narrow) {
    // The focus comes back to the menu, which is closed by what is chosen in it.
    const chosen = ({ currentTarget: { parentNode: menu } }) => { menu.open = false; menu.firstElementChild.focus(); };
    return html`<header>
      <div class="head">${name}<${Connection} picture=${picture} narrow />${find}
        <details class="menu"><summary class="do">Team ▾</summary><div onClick=${chosen}>${team}<span class="buttons">${page}</span></div></details></div>
      <${WaitsForYou} picture=${picture} />
      <details class="summed"><summary>${progress}</summary><p><${Run} picture=${picture} /></p>${what}<${Spent} picture=${picture} /></details>
      <${Banners} picture=${picture} narrow />
    </header>`;
  }
  return html`<header>
    <div class="head">${name}<${Connection} picture=${picture} /><${Run} picture=${picture} /><${WaitsForYou} picture=${picture} />${find}<span class="team-do">${team}${page}</span></div>
    <div class="head second">${what}${progress}<${Spent} picture=${picture} /></div>
    <${Banners} picture=${picture} />
  </header>`;
}
