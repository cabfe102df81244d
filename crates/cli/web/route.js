// Where one is: `#/VIEW`, and `#/VIEW/KIND/ID` with something open beside it. `?at=N` is the slider's place.

export const VIEWS = [
  ["agents", "Agents"], ["board", "Board"], ["graph", "Graph"], ["timeline", "Timeline"], ["cost", "Cost"],
  ["messages", "Messages"], ["merges", "Merges"], ["log", "Log"],
];
const KINDS = ["task", "agent", "message", "transcript"];

/** What an address says. */
export function read(hash = location.hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  // An address of a thing alone opens it beside the view in which one would look for it.
  if (KINDS.includes(parts[0])) parts.unshift({ agent: "agents", message: "messages" }[parts[0]] ?? "board");
  const view = parts[0] === "search" || VIEWS.some(([name]) => name === parts[0]) ? parts[0] : "agents";
  const open = KINDS.includes(parts[1]) && parts[2] ? { kind: parts[1], id: parts[2] } : null;
  const words = new URLSearchParams(query ?? "");
  const at = words.get("at");
  return { view, open, at: at != null && /^\d+$/.test(at) ? Number(at) : null, q: words.get("q") ?? "" };
}

/** The address of a place, from where one is. */
export function address(change) {
  const place = { ...read(), ...change };
  const open = place.open ? `/${place.open.kind}/${encodeURIComponent(place.open.id)}` : "";
  const words = new URLSearchParams();
  if (place.at != null) words.set("at", place.at);
  if (place.view === "search" && place.q) words.set("q", place.q);
  const query = words.toString();
  return `#/${place.view}${open}${query ? `?${query}` : ""}`;
}

export const to = (kind, id) => address({ open: { kind, id } });
export const go = (change) => { location.hash = address(change); };
