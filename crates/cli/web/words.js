// How things are said: times, money, states, and text that nobody can hide anything in.

/** What each status of a task is called and looks like: never by colour alone. */
export const STATUSES = {
  blocked: ["◌", "blocked"], ready: ["○", "ready"], running: ["●", "running"], verifying: ["◑", "verifying"],
  reviewing: ["◎", "reviewing"], merging: ["⇢", "merging"], completed: ["✓", "completed"], failed: ["✗", "failed"],
  cancelled: ["–", "cancelled"],
};

/** The same for what agents do. */
export const DOING = {
  working: ["●", "working"], waiting_for_model: ["◔", "waits for its model"], waiting_for_gate: ["◑", "waits for a gate"],
  waiting_for_human: ["!", "waits for you"], waiting_for_agent: ["◐", "waits for an agent"], paused: ["‖", "paused"],
  stopped: ["■", "stopped"], idle: ["○", "idle"], stuck: ["!", "stuck"], dead: ["✗", "dead"], gone: ["–", "gone"],
  left: ["–", "has left"],
};

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A text in which marks that nobody sees, or that turn the direction of writing, are shown. */
export const seen = (text) =>
  String(text ?? "").replace(UNSEEN, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);

/** A text of a view: as it is, or how it begins where it is kept elsewhere. */
export const textOf = (text) => seen(text == null ? "" : typeof text === "string" ? text : `${text.head}…`);

export const firstLine = (text) => textOf(text).trim().split("\n", 1)[0];

/** A length of time in its two largest units at most. */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${s % 60 && s < 600 ? ` ${s % 60}s` : ""}`;
  if (s < 172800) return `${Math.floor(s / 3600)}h${Math.floor((s % 3600) / 60) ? ` ${Math.floor((s % 3600) / 60)}m` : ""}`;
  return `${Math.floor(s / 86400)}d`;
}

export const clock = (ms) => (ms ? new Date(ms).toLocaleTimeString([], { hour12: false }) : "");
export const moment = (ms) => (ms ? new Date(ms).toLocaleString([], { hour12: false }) : "");

export function money(micro) {
  const dollars = micro / 1e6;
  return `$${dollars < 0.1 && dollars > 0 ? dollars.toFixed(4) : dollars.toFixed(2)}`;
}

export function count(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)}M`;
  if (n >= 10000) return `${Math.round(n / 1000)}k`;
  return n.toLocaleString("en");
}

export const tokensOf = (amount) => (amount?.input_tokens ?? 0) + (amount?.output_tokens ?? 0);

/** Tokens and money of an amount; nothing if nothing was spent. */
export function spent(amount) {
  const words = [];
  if (tokensOf(amount)) words.push(`${count(tokensOf(amount))} tokens`);
  if (amount?.micro_usd) words.push(money(amount.micro_usd));
  return words.join(" · ");
}

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
