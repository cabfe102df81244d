// What comes before all else: the token, which the address brings once and the browser keeps for pages of this address alone; and
// the team, which is asked for while the page's own files come.
(() => {
  const KEPT = "agent-team-token";
  const given = new URLSearchParams(location.search).get("token");
  let kept = null;
  try { kept = localStorage.getItem(KEPT); } catch { /* It is known as long as this page is open. */ }
  const headers = { authorization: `Bearer ${given ?? kept}` };
  const ask = () => fetch("/api/picture", { headers });
  const heard = (answer) => {
    if (!given) return answer;
    history.replaceState(null, "", `/${location.hash}`);
    if (answer.status === 401 && kept && kept !== given) {
      // A wrong one takes the place of none that is good.
      headers.authorization = `Bearer ${kept}`;
      return ask();
    }
    try { if (answer.status !== 401 && answer.status !== 403) localStorage.setItem(KEPT, given); } catch { /* as above */ }
    return answer;
  };
  const picture = ask().then(heard);
  // Whoever waits for it hears that it failed.
  picture.catch(() => {});
  window.agentTeam = { headers, picture };
})();
