// What is done to the team: asked about where it cannot be undone, and told with the command that does the same.
import { post } from "./api.js";
import { changed, shown, store, toast } from "./store.js";

/** Why nothing can be done now; nothing if it can. */
export function why() {
  if (store.now?.read_only) return "This log is only looked at. Open `agent-team web` in its team's folder to steer it.";
  if (store.at != null) return "This is the past. Go back to now to steer the team.";
  return null;
}

/** Does something, and says what came of it. */
export async function act(told) {
  const no = why();
  if (no) {
    toast(no, "bad");
    return false;
  }
  try {
    const said = await post(told);
    const warning = said.text.split("\n").find((line) => line.startsWith("WARNING"));
    toast(warning ?? "Done", warning ? "warn" : "good", said.command);
    return true;
  } catch (error) {
    toast(`${error.message}${error.hint ? ` — ${error.hint}` : ""}`, "bad", error.command ?? "");
    return false;
  }
}

/** Opens a dialog. */
export function ask(dialog) {
  const no = why();
  if (no) toast(no, "bad");
  else {
    store.dialog = dialog;
    changed();
  }
}

export function close() {
  store.dialog = null;
  changed();
}

export const say = (to, task) => ask({ kind: "text", title: `Say something to ${to}`, label: "What to say", button: "Say it", wanted: true,
  send: (text) => act({ do: "say", to, text, ...(task ? { task } : {}) }) });
export const interrupt = (agent) => ask({ kind: "text", title: `Interrupt ${agent}`, button: "Interrupt", label: "What it shall know (it stops what it does, keeps its task, and goes on with this)",
  send: (text) => act({ do: "interrupt", agent, text: text || null }) });
export const pause = (agent) => ask({ kind: "text", title: agent ? `Pause ${agent}` : "Pause the whole team", button: "Pause", label: "Why, for whoever looks (it may stay empty)",
  send: (reason) => act({ do: "pause", agent: agent ?? null, reason }) });
export const resume = (agent) => act({ do: "resume", agent: agent ?? null });
export const stop = (agent) => ask({ kind: "text", title: `Stop ${agent}`, danger: true, button: "Stop it", label: "Why (it ends at once; its task goes back to the queue, its work is kept under a ref)",
  send: (reason) => act({ do: "stop", agent, reason }) });
export const cancel = (task) => ask({ kind: "text", title: `Cancel ${task}`, danger: true, bare: true, button: "Cancel the task", label: "Nobody wants it any more. Whoever works on it loses it; what waits for it stays blocked until you retry it.",
  send: () => act({ do: "cancel", task }) });
export const retry = (task) => act({ do: "retry", task });
export const reassign = (task) => ask({ kind: "choose", title: `Give ${task} to another agent`, button: "Give it", label: "To whom",
  options: [["", "anyone who fits"], ...shown().agents.filter((agent) => !agent.left).map((agent) => [agent.id, `${agent.id} (${agent.role}, ${agent.words || agent.doing})`])],
  send: (agent) => act({ do: "reassign", task, agent: agent || null }) });
export const answer = (message) => ask({ kind: "text", title: `Answer ${message.from}`, quote: message.text, label: "The answer", button: "Answer", wanted: true,
  send: (text) => act({ do: "answer", question: message.id, text }) });
export const add = () => ask({ kind: "add", title: "Add a task" });
export const plan = (task) => ask({ kind: "plan", task });
export const review = (task) => ask({ kind: "review", task });
