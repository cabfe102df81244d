// What comes before all else: the token, which the address brings once and the browser keeps for pages of this address alone; and
// the team, which is asked for while the page's own files come.
(() => {
  const KEPT = "agent-team-token";
  const given = new URLSearchParams(location.search).get("token");
  let token = given;
  try {
    if (given) localStorage.setItem(KEPT, given);
    token ??= localStorage.getItem(KEPT);
  } catch { /* It is known as long as this page is open. */ }
  if (given) history.replaceState(null, "", `/${location.hash}`);
  const headers = { authorization: `Bearer ${token}` };
  const picture = fetch("/api/picture", { headers });
  // Whoever waits for it hears that it failed.
  picture.catch(() => {});
  window.agentTeam = { headers, picture };
})();
