// What can be done to the team: each asks for what it needs, says what came of it, and shows the command that does the same.
import { Refused, post } from "./api.js";
import { ask, changed, shown, store, toast } from "./store.js";
import { firstLine, line } from "./words.js";

/** Why nothing can be done; nothing if it can. */
export function whyNot() {
  if (store.at != null) return "This is the past: go back to now to steer";
  if (store.connection === "reconnecting") return "The server does not answer: does agent-team web still run?";
  if (store.now?.read_only) return "This log is only looked at: agent-team web in its team's folder steers it";
  return "";
}

/** What was done, where the command prints no more than an id or a row of its list. */
const DID = {
  say: ({ to, urgent }) => `Said to ${to}${urgent ? ", urgently" : ""}`, interrupt: ({ agent }) => `Interrupted ${agent}`, answer: () => "Answered",
  add: (told, text) => `Added ${firstLine(text)}`, retry: ({ task }) => `${task} has new attempts`, cancel: ({ task }) => `Cancelled ${task}`,
  reassign: ({ task, agent }) => `Gave ${task} to ${agent ?? "anyone who fits"}`,
  review: ({ task, approve }) => (approve ? `Approved the result of ${task}` : `Sent ${task} back`),
  approve_plan: ({ task }) => `Approved the plan for ${task}`, reject_plan: ({ task }) => `Rejected the plan for ${task}`,
};

/** Does it, and says what came of it. Gives why it was not done; where a dialog asked for it, that says so. */
export async function act(told, givenUp) {
  const held = whyNot();
  try {
    if (held) throw new Refused(0, { error: held });
    const { text, command } = await post(told, givenUp);
    toast(DID[told.do]?.(told, text) || firstLine(text) || "Done", "good", command);
    return null;
  } catch (error) {
    if (!store.dialog || givenUp?.aborted) toast(error.message, "bad", error.command, error.hint);
    return error;
  } finally { changed(); }
}

const text = (label, more = {}) => ({ name: "text", label, kind: "text", ...more });
const reason = { name: "reason", label: "Why (it is told so)", kind: "line" };

/** Which task something is about, in words. */
function aboutTask(task) {
  const title = task && shown().task(task)?.title;
  return task ? ` about ${line(task)}${title ? ` (${line(title)})` : ""}` : "";
}

/** Everything that asks before it does. */
export const wish = {
  say: (to, task = null) => ask({
    title: to ? `Say something to ${to}` : "Say something", button: "Say",
    words: "It is read between two turns; an urgent one breaks off the turn in progress.",
    fields: [...(to ? [] : [{ name: "to", label: "To (an agent, role:worker, task:ID, everyone)", kind: "line", value: "everyone", must: true }]),
      text("Words", { must: true }), { name: "urgent", label: "Urgent", kind: "tick" }],
    send: (given, givenUp) => act({ do: "say", to: to ?? given.to, text: given.text, task, urgent: given.urgent }, givenUp),
  }),
  interrupt: (agent) => ask({
    title: `Interrupt ${agent}`, button: "Interrupt", words: "Breaks off the turn in progress; that turn is paid for.",
    fields: [text("What it shall know")], send: (given, givenUp) => act({ do: "interrupt", agent, text: given.text || null }, givenUp),
  }),
  pause: (agent = null) => ask({
    title: agent ? `Pause ${agent}` : "Pause the team", button: "Pause",
    words: agent ? "It finishes its turn, keeps its task, and waits." : "No claims, no checks, no merges until you resume it.",
    fields: [reason], send: (given, givenUp) => act({ do: "pause", agent, reason: given.reason }, givenUp),
  }),
  resume: (agent = null) => act({ do: "resume", agent }),
  stop: (agent) => ask({
    title: `Stop ${agent}?`, button: "Stop it", danger: true,
    words: "It is cut off at once. Others may take its task; its work so far is kept.",
    fields: [reason], send: (given, givenUp) => act({ do: "stop", agent, reason: given.reason }, givenUp),
  }),
  retry: (task) => act({ do: "retry", task }),
  cancel: (task) => ask({
    title: `Cancel ${task}?`, button: "Cancel the task", danger: true, fields: [],
    words: "Whoever works on it loses it. What waits for it stays blocked.", send: (given, givenUp) => act({ do: "cancel", task }, givenUp),
  }),
  reassign: (task, agents, whom) => ask({
    title: `Reassign ${task}`, button: "Reassign", words: "Whoever has it loses it.",
    fields: [{ name: "agent", label: "To", kind: "choice", choices: [["", "anyone who fits"], ...agents.map((id) => [id, id])], value: agents.includes(whom) ? whom : "" }],
    send: (given, givenUp) => act({ do: "reassign", task, agent: given.agent || null }, givenUp),
  }),
  answer: (question) => ask({
    title: "Answer a question", button: "Answer", keep: question.id, words: `${line(question.from)} asks${aboutTask(question.task)}:`, quote: question.text,
    fields: [text("Your answer", { must: true })], send: (given, givenUp) => act({ do: "answer", question: question.id, text: given.text }, givenUp),
  }),
  add: () => ask({
    title: "Add a task", button: "Add",
    fields: [{ name: "title", label: "Title", kind: "line", must: true }, { name: "description", label: "What is to be done", kind: "text" },
      { name: "after", label: "After (ids of tasks, separated by spaces)", kind: "ids" },
      { name: "check", label: "Check: the command that proves it", kind: "line" }],
    send: (given, givenUp) => act({
      do: "add", title: given.title, description: given.description, after: given.after.split(/[\s,]+/).filter(Boolean),
      check: given.check || null,
    }, givenUp),
  }),
  plan: (task) => ask({ kind: "plan", task }),
  result: (task) => ask({ kind: "result", task }),
  help: () => ask({ kind: "help" }),
};
