// Where one is: `#/VIEW`, and `#/VIEW/KIND/ID` with something open beside it. `?at=N` is the slider's place, `?find=WORDS` what is
// looked for in an open transcript.

/** The views: name, title, and the second key of `g …`. */
export const VIEWS = [
  ["agents", "Agents", "a"], ["board", "Board", "b"], ["graph", "Graph", "d"], ["timeline", "Timeline", "t"],
  ["cost", "Cost", "c"], ["messages", "Messages", "m"], ["merges", "Merges", "q"], ["log", "Log", "l"],
];
const KINDS = ["task", "agent", "message", "transcript", "waiting"];

function parsed(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  // An address of a thing alone opens it beside the view in which one would look for it.
  if (KINDS.includes(parts[0])) parts.unshift({ agent: "agents", message: "messages", waiting: "agents" }[parts[0]] ?? "board");
  const view = parts[0] === "search" || VIEWS.some(([name]) => name === parts[0]) ? parts[0] : "agents";
  const words = new URLSearchParams(query ?? "");
  const open = KINDS.includes(parts[1]) && parts[2] ? { kind: parts[1], id: parts[2], tab: parts[3] ?? "", find: words.get("find") ?? "" } : null;
  // What leads nowhere is shown as far as it leads.
  const stray = parts.length && (parts[0] !== view || (parts[1] && !open)) ? path : "";
  const at = words.get("at");
  return { view, open, stray, at: at != null && /^\d{1,15}$/.test(at) ? Number(at) : null, q: words.get("q") ?? "" };
}

let known = { hash: null, place: null };

/** What the address says. */
export function read() {
  // Every link asks for it, so it is taken apart once.
  if (known.hash !== location.hash) known = { hash: location.hash, place: parsed(location.hash) };
  return known.place;
}

/** The address of a place, from where one is. */
export function address(change) {
  const place = { ...read(), ...change };
  const open = place.open
    ? `/${place.open.kind}/${encodeURIComponent(place.open.id)}${place.open.tab ? `/${place.open.tab}` : ""}` : "";
  const words = new URLSearchParams();
  if (place.view === "search" && place.q) words.set("q", place.q);
  if (place.open?.find) words.set("find", place.open.find);
  if (place.at != null) words.set("at", place.at);
  const query = words.toString();
  return `#/${place.view}${open}${query ? `?${query}` : ""}`;
}

export const to = (kind, id, tab = "", find = "") => address({ open: { kind, id, tab, find } });

/** Goes to another place; what one passes through, as the slider does, leaves no way back to it. */
export function go(change, passing = false) {
  const next = address(change);
  if (next === location.hash) return;
  if (!passing) location.hash = next;
  else {
    history.replaceState(null, "", next);
    dispatchEvent(new Event("hashchange"));
  }
}
