"""How the page of `agent-team web` looks and feels: in a browser, on teams that the real command line made."""

import hashlib
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import until
from playwright.sync_api import expect

VIEWS = ["agents", "board", "graph", "timeline", "cost", "messages", "merges", "log"]
VENDOR = Path(__file__).parents[2] / "web" / "vendor"


def go(page, place):
    page.evaluate("place => { location.hash = place; }", place)


def settled(page):
    """Two frames later everything of before is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_team_is_there(worked, open_page):
    page = open_page(worked.web())
    expect(page.locator("header h1")).to_have_text("project")
    expect(page.locator("header .legend")).to_contain_text("1 completed")
    expect(page.locator(".state.live")).to_have_text("● connected")
    expect(page.locator(".agent", has_text="worker-2")).to_contain_text("docs")
    go(page, "#/board/task/lexer")
    expect(page.locator("#panel")).to_contain_text("lexer.c reads all tokens.")
    assert page.url.endswith("#/board/task/lexer")
    for view in VIEWS:
        go(page, f"#/{view}")
        expect(page.locator(f".views a[href^='#/{view}']")).to_have_attribute("aria-current", "page")
        expect(page.locator("main")).not_to_contain_text("Reading…")
        expect(page.locator("main")).not_to_contain_text("broke")


def test_an_address_of_one_thing_opens_it(worked, open_page):
    page = open_page(worked.web())
    message = worked.json("inbox", "--as", "human", "--sent")[0]["id"]
    for place, words in (("#/task/docs", "Write the docs"), ("#/agent/worker-2", "worker-2"), (f"#/message/{message}", "Keep the old API")):
        page.goto(page.url.split("#")[0] + place)
        expect(page.locator("#panel")).to_contain_text(words)
    expect(page.locator("main [role=alert]")).to_have_count(0)
    go(page, "#/nonsense")
    expect(page.locator("main [role=alert]")).to_have_text("There is no such page: nonsense")
    expect(page.locator(".agent").first).to_be_visible()
    for token in ("nonsense", "0" * 32):
        go(page, f"#/agents/transcript/{token}")
        expect(page.locator("#panel")).to_contain_text("There is no such transcript.")


def test_a_change_is_on_the_page_at_once(worked, open_page):
    page = open_page(worked.web())
    go(page, "#/board")
    page.wait_for_selector(".task-card")
    page.evaluate(
        """() => { window.seen = {}; const look = () => { for (const card of document.querySelectorAll('.task-card .id'))
          window.seen[card.textContent] ??= Date.now(); }; look(); new MutationObserver(look).observe(document.querySelector('.page'), { childList: true,
          subtree: true, characterData: true }); }"""
    )
    expect(page.locator(".state.live")).to_be_visible()
    took = []
    for number in range(10):
        name = f"later-{number}"
        worked("add", "Later", "--id", name)
        at = page.wait_for_function("name => window.seen[name]", arg=name, polling="raf").json_value()
        took.append(at - worked.json("show", name)["added_at_ms"])
    took.sort()
    print(f"\na change reaches the page in {took[len(took) // 2]} ms (median of 10; {took[0]} to {took[-1]} ms)")
    assert took[-1] < 1000


def test_a_plan_is_approved_by_the_keyboard_after_it_was_read(running, open_page):
    page = open_page(running.web())
    expect(page.locator(".waits")).to_contain_text("1 plan to judge")
    page.keyboard.press("w")
    expect(page.locator("#panel")).to_contain_text("Plans to judge")
    button = page.locator("#panel button", has_text="Read its plan").first
    for _ in range(60):
        if button.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".to-read")).to_contain_text("1. Change part 1")
    approve = page.locator("dialog button", has_text="Approve plan")
    expect(approve).to_be_disabled()
    expect(page.locator("dialog")).to_contain_text("Read it to its end, then it can be approved. Say what is to be changed, then it can be rejected.")
    page.keyboard.press("End")
    expect(approve).to_be_enabled()
    for _ in range(10):
        if approve.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").first).to_contain_text("agent-team plan approve tool --plan=1")
    expect(page.locator("dialog")).to_have_count(0)
    until(lambda: running.json("show", "tool")["status"] == "completed", "the work after the plan")
    expect(page.locator(".waits")).not_to_contain_text("plan")


def test_a_plan_that_somebody_else_judges_is_judged_in_the_open_dialog_too(running, open_page):
    page = open_page(running.web())
    page.locator(".waits a", has_text="plan").click()
    dialog = page.locator("dialog")
    expect(dialog.get_by_role("region", name="The plan")).to_be_focused()
    page.keyboard.press("End")
    dialog.get_by_label("What is to be changed").fill("Change it")
    for name in ("Approve plan 1", "Reject"):
        expect(dialog.get_by_role("button", name=name)).to_be_enabled()
    running("plan", "approve", "tool")
    expect(dialog).to_contain_text("approved by human")
    expect(dialog).to_contain_text("This plan was judged already.")
    for name in ("Approve plan 1", "Reject"):
        expect(dialog.get_by_role("button", name=name)).to_be_disabled()


def test_a_result_is_approved_after_it_was_read_with_its_change(team, open_page):
    toml = 'with = "script:script.json"\ngate = "true"\n[[agent]]\nname = "worker"\n[[task]]\nid = "tool"\ntitle = "Make tool"\nreview = true\ncheck = "echo all is well"\n'
    lines = "\n".join(f"echo {n}" for n in range(1, 200))
    steps = [{"tool_calls": [{"name": name, "input": given}]} for name, given in (("write", {"path": "tool.sh", "content": lines}), ("finish", {"result": "It counts."}))]
    team.repository(toml, {"rules": [{"steps": steps}]})
    team.begin("run")
    until(lambda: (team.folder / ".agent-team" / "log.jsonl").exists() and team.json("show", "tool")["status"] == "reviewing", "the result")
    page = open_page(team.web())
    page.locator(".waits a", has_text="1 result to review").click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("It counts.")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    page.locator("#panel").get_by_role("button", name="Read its result").click()
    for words in ("It counts.", "all is well", "tool.sh", "+echo 199"):
        expect(dialog).to_contain_text(words)
    approve, back = (dialog.get_by_role("button", name=name) for name in ("Approve attempt 1", "Send back"))
    expect(approve).to_be_disabled()
    expect(back).to_be_disabled()
    dialog.get_by_label("What is to be changed").fill("Count further")
    expect(back).to_be_enabled()
    expect(approve).to_be_disabled()
    dialog.get_by_role("region", name="The result and its change").focus()
    page.keyboard.press("End")
    expect(approve).to_be_enabled()
    approve.click()
    expect(page.locator(".toast").first).to_contain_text("agent-team review tool --attempt=1")
    assert team.json("show", "tool")["status"] in ("merging", "completed")


def test_a_question_is_answered_and_an_agent_interrupted(running, open_page):
    page = open_page(running.web())
    page.locator(".waits a", has_text="question").click()
    expect(page.locator("#panel")).to_contain_text("Tabs or <b>spaces</b>?")
    page.locator("#panel").get_by_role("button", name="Answer").click()
    expect(page.locator("dialog")).to_contain_text("worker-3 asks about asked (Make asked):")
    page.keyboard.type("Spaces")
    # What was typed and not sent is there again.
    page.keyboard.press("Escape")
    page.locator("#panel").get_by_role("button", name="Answer").click()
    expect(page.locator("dialog textarea")).to_have_value("Spaces")
    page.keyboard.press("Control+Enter")
    until(lambda: running.json("show", "asked")["status"] == "completed", "what the answer was waited for with")
    page.keyboard.press("Escape")
    expect(page.locator(".agent", has_text="worker-2")).to_contain_text("waits for its model")
    page.locator(".agent", has_text="worker-2").get_by_role("button", name="Interrupt").click()
    page.keyboard.type("Do not rewrite the lexer")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast").last).to_contain_text("agent-team interrupt worker-2")
    sent = running.json("inbox", "--as", "human", "--sent")
    assert [(one["to"], one["text"], one["urgent"]) for one in sent if one["urgent"]] == [("worker-2", "Do not rewrite the lexer", True)]
    until(lambda: running.json("show", "slow")["status"] == "completed", "what it does then")


def test_where_agents_waited_for_a_word_is_seen(running, open_page):
    page = open_page(running.web())
    asks = page.locator(".agent", has_text="worker-3")
    expect(asks).to_contain_text("waits for you")
    go(page, "#/board/task/asked")
    expect(page.locator("#panel")).to_contain_text("worker-3 asks you: Tabs or <b>spaces</b>?")
    expect(page.locator(".task-card", has_text="Make asked").locator(".mark.you")).to_have_text("asks you")
    go(page, "#/timeline")
    expect(page.locator(".lane-box .word")).to_have_count(2)
    expect(page.locator(".bar-of", has_text="asked")).to_have_attribute("title", re.compile("waited .* of it for somebody's word"))
    # A pause hides nothing that only a human can do.
    running("pause")
    page.keyboard.press("w")
    expect(page.locator("#panel")).to_be_focused()
    expect(page.locator("#panel")).to_contain_text("Tabs or")
    running("resume")


def test_a_transcript_grows_as_it_is_written(running, open_page):
    page = open_page(running.web())
    page.locator(".agent", has_text="worker-3").get_by_role("link", name="Transcript").click()
    panel = page.locator("#panel")
    expect(panel.locator(".call summary b")).to_have_text(["ask"])
    expect(panel.locator(".call")).to_contain_text("no result yet")
    panel.locator(".call summary").click()
    expect(panel.locator(".call")).to_contain_text("Tabs or <b>spaces</b>?")
    question = running.json("status")["questions"][0]
    running("answer", question, "Spaces")
    expect(panel).to_contain_text("ended: ")
    expect(panel.locator(".call summary b")).to_have_text(["ask", "finish"])


def test_of_a_long_transcript_the_end_is_read_first(running, open_page):
    # Nothing more is written into it once its agent waits for the answer.
    until(lambda: running.json("status")["questions"], "the question")
    [transcript] = [at for at in (running.folder / ".agent-team/attempts").glob("*/transcript.jsonl") if '"task":"asked"' in at.read_text()]
    # As if it had worked for long.
    first, *rest = transcript.read_text().splitlines()
    turns = [json.dumps({"type": "answered", "at_ms": 1, "turn": n, "parts": [{"type": "text", "text": f"step-{n} " + "x" * 2000}],
                         "usage": {"input_tokens": 1, "cached_tokens": 0, "output_tokens": 1}, "stop": "tool_calls"}) for n in range(1, 500)]
    transcript.write_text("\n".join([first, *turns, *rest]) + "\n")
    page = open_page(running.web())
    page.locator(".agent", has_text="worker-3").get_by_role("link", name="Transcript").click()
    panel = page.locator("#panel")
    expect(panel.locator(".call summary b")).to_have_text(["ask"])
    expect(panel).to_contain_text("step-499 ")
    for n in (480, 300, 1):
        while not panel.get_by_text(f"step-{n} ").count():
            shown = panel.locator(".said").count()
            panel.get_by_role("button", name="Show what was before").click()
            expect(panel.locator(".said")).not_to_have_count(shown)
    expect(panel.get_by_role("button", name="Show what was before")).to_have_count(0)
    expect(panel.locator(".event", has_text="begins, attempt 1")).to_have_count(1)
    # What was searched for is in sight, wherever in it: in what was said long ago, and in a folded call.
    for words in ("step-30 ", "or <b>spaces"):
        page.reload()
        page.get_by_role("searchbox").fill(words)
        hit = page.locator(".found[aria-label=Transcripts] .hit")
        expect(hit.locator("mark")).to_have_text(words.strip())
        hit.click()
        expect(panel.locator("mark").first).to_be_in_viewport()
        expect(panel.locator("mark").first).to_have_text(words.strip())


def test_what_an_agent_says_is_there_while_it_says_it(team, open_page):
    words = [f"word-{n}" for n in range(400)]
    rules = [{"when": {"contains": "Hurry"}, "give": {"tool_calls": [{"name": "finish", "input": {"result": "Hurried."}}]}},
             {"give": {"text": " ".join(words), "stream_ms": 60000}}]
    team.repository('with = "script:script.json"\n[[agent]]\nname = "worker"\n[[task]]\nid = "talk"\ntitle = "Talk"\n', {"rules": rules})
    team.begin("run")
    page = open_page(until(lambda: (team.folder / ".agent-team/log.jsonl").exists() and team.web(), "the team"))
    last = page.locator(".agent .last")
    for n in (2, 5, 9):
        expect(last).to_contain_text(f"word-{n} ")
    page.get_by_role("link", name="Transcript").click()
    draft = page.locator("#panel .draft")
    said = len(draft.text_content().split())
    for n in (said + 3, said + 6):
        expect(draft).to_contain_text(f"word-{n} ")
    expect(page.locator("#panel .said")).to_have_count(1)
    team("interrupt", "worker", "Hurry")
    expect(page.locator("#panel")).to_contain_text("ended: finished")
    expect(draft).to_have_count(0)


def test_what_a_command_prints_is_there_while_it_runs(team, open_page):
    command = "for n in 1 2 3; do until test -e go-$n; do sleep 0.02; done; echo part $n is built; done"
    steps = [{"tool_calls": [{"name": name, "input": given}]} for name, given in (("run", {"command": command}), ("finish", {"result": "It is built."}))]
    team.repository('with = "script:script.json"\n[[agent]]\nname = "worker"\n[[task]]\nid = "build"\ntitle = "Build"\n', {"rules": [{"steps": steps}]})
    team.begin("run")
    page = open_page(until(lambda: (team.folder / ".agent-team/log.jsonl").exists() and team.web(), "the team"))
    expect(page.locator(".agent .last")).to_contain_text("> run for n in 1 2 3")
    workspace = team.folder / ".agent-team/workspaces/worker"
    (workspace / "go-1").touch()
    expect(page.locator(".agent .last")).to_contain_text("part 1 is built")
    page.get_by_role("link", name="Transcript").click()
    draft = page.locator("#panel .draft")
    expect(draft).to_contain_text("part 1 is built")
    (workspace / "go-2").touch()
    expect(draft).to_contain_text("part 2 is built")
    (workspace / "go-3").touch()
    expect(page.locator("#panel")).to_contain_text("ended: finished")
    expect(draft).to_have_count(0)


def test_the_slider_goes_back_and_forth(worked, open_page):
    page = open_page(worked.web())
    records = worked.json("status")["records"]
    go(page, "#/board")
    slider = page.get_by_role("slider")
    expect(slider).to_have_value(str(records))
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".state.past")).to_contain_text(f"record 0 of {records}")
    expect(page.locator("main")).to_contain_text("No tasks yet")
    for _ in range(2):
        page.keyboard.press("]")
    expect(page.locator(".state.past")).to_contain_text("record 2 of")
    expect(page.locator(".task-card")).to_have_count(2)
    assert "at=2" in page.url
    # In the past nothing is steered, and it is said why.
    add = page.get_by_role("button", name="Add task")
    expect(add).to_have_attribute("aria-disabled", "true")
    expect(add).to_have_attribute("title", re.compile("past"))
    # What happens meanwhile changes what can be gone to, not what is seen.
    worked("add", "Later", "--id", "later")
    expect(page.locator(".state.past")).to_contain_text(f"of {records + 1}")
    expect(page.locator(".task-card")).to_have_count(2)
    page.locator(".state.past").click()
    expect(page.locator(".state.live")).to_have_text("● connected")
    expect(page.locator(".task-card", has_text="later")).to_have_count(1)
    # A record of the log leads to the team as it was after it.
    go(page, "#/log")
    page.locator(".record .seq", has_text=re.compile("^4$")).click()
    expect(page.locator(".state.past")).to_contain_text("record 4 of")
    page.keyboard.press("n")
    expect(page.locator(".state.live")).to_have_text("● connected")


@pytest.mark.parametrize("width", [360, 390, 430])
def test_a_phone_shows_everything_in_one_column(worked, open_page, width):
    worked("pause", "--reason", "Everybody shall read the new rules before they go on with what they do")
    page = open_page(worked.web(), width, 800, has_touch=True, is_mobile=True)
    for place in [*VIEWS, "search?q=lexer", "board/task/lexer", "board/task/lexer/history", "agents/agent/worker-1", "messages/waiting/you", "board?at=4"]:
        go(page, f"#/{place}")
        expect(page.locator(".page")).not_to_contain_text("Reading…")
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert page.evaluate("Math.max(...[...document.querySelectorAll('header, main, .slider, .views, .panel')].map((part) => part.getBoundingClientRect().right))") <= width + 0.5, place
        small = page.evaluate(
            """() => [...document.querySelectorAll('button, .views a, .do, input, select')].filter((node) => node.getClientRects().length && !node.closest('.goal')
              && node.getBoundingClientRect().height < 38).map((node) => node.outerHTML.slice(0, 80))"""
        )
        assert not small, (place, small)
        assert page.evaluate("document.querySelector('header').offsetHeight") <= 150, place
        if place in VIEWS:
            tab = page.locator(".views [aria-current]").bounding_box()
            assert tab["x"] >= 0 and tab["x"] + tab["width"] <= width + 0.5, place
    go(page, "#/agents")
    page.locator(".banners summary").click()
    expect(page.get_by_role("button", name="Resume it")).to_be_visible()
    page.locator(".summed > summary").click()
    expect(page.locator(".summed")).to_contain_text("No run yet")
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Say", exact=True).first.click()
    expect(page.locator("dialog")).to_be_visible()


def test_the_keyboard_reaches_everything(worked, open_page):
    page = open_page(worked.web())
    for number, view in enumerate(VIEWS, 1):
        page.keyboard.press(str(number))
        expect(page.locator(".views a[aria-current=page]")).to_have_attribute("href", re.compile(f"^#/{view}"))
    for key, view in (("b", "board"), ("a", "agents"), ("m", "messages")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.locator(".views a[aria-current=page]")).to_have_attribute("href", re.compile(f"^#/{view}"))
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_contain_text("what waits for you")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("2")
    expect(page.locator(".task-card").first).to_be_visible()
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("l")
    assert page.evaluate("document.activeElement.getAttribute('href')") != first
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("tokens")
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.locator(".hit")).to_contain_text("lexer")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_contain_text("lexer.c reads all tokens.")
    page.keyboard.press("Escape")
    # Tab comes to each button, and one sees where one is.
    page.keyboard.press("1")
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.textContent || document.activeElement.ariaLabel || '').trim().slice(0, 30)"))
        if page.evaluate("document.activeElement !== document.body"):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert {"Skip to the view", "Add task", "Pause team", "Agents2", "Interrupt"} <= reached, reached


def test_what_a_terminal_cannot_show_is_shown_of_a_team_that_ended(team, open_page):
    place = team.home / "text-tools"
    team("demo", "--dir", str(place))
    page = open_page(team.web("--team", str(place)), 1440, 900)
    go(page, "#/graph")
    expect(page.locator("a.box")).to_have_count(9)
    expect(page.locator(".edges path")).to_have_count(10)
    boxes = page.locator("a.box rect:first-of-type").evaluate_all("all => all.map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.top, box.right, box.bottom])")
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert not any(left < r and l < right and top < b and t < bottom for l, t, r, b in boxes[n + 1 :]), "no box covers another one"
    page.locator("a.box", has_text="uniq").first.click()
    expect(page.locator("#panel .lead")).to_have_text("Write bin/uniq")
    page.locator("#panel").get_by_role("link", name="Change", exact=True).click()
    expect(page.locator(".diff")).to_contain_text(re.compile(r"delivered by worker-\d in attempt \d"))
    expect(page.locator(".patch .added").first).to_be_visible()
    assert page.locator(".patch .added").first.evaluate("row => getComputedStyle(row).backgroundColor") != page.locator(".patch .hunk").first.evaluate("row => getComputedStyle(row).backgroundColor")
    page.keyboard.press("4")
    expect(page.locator(".bar-of.st-work.critical").first).to_be_visible()
    expect(page.locator(".bar-of.e-sent_back").first).to_be_visible()
    expect(page.locator(".waited").nth(1)).to_be_visible()
    expect(page.locator(".path li").last).to_contain_text("top")
    page.get_by_role("button", name="Larger").click()
    page.wait_for_function("() => document.querySelector('.lane-box').scrollWidth > 1.5 * document.querySelector('.lane-box').clientWidth")
    page.keyboard.press("5")
    expect(page.locator(".chart .area").nth(4)).to_be_visible()
    expect(page.locator("tfoot")).to_contain_text("48")
    page.keyboard.press("7")
    expect(page.locator(".gate")).to_contain_text("tests/gate")
    go(page, "#/board/task/uniq")
    page.locator("#panel").get_by_role("link", name=re.compile("^work 1")).click()
    # Calls are folded, with what they gave.
    expect(page.locator(".call").first).not_to_have_attribute("open", "")
    page.locator(".call summary").first.click()
    expect(page.locator(".call pre").last).to_have_count(1)
    expect(page.locator(".event.e-ended")).to_contain_text("ended: ")


EVIL = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'><a href=\"javascript:window.pwned=3\">x</a> \u202edlrow\u202c \u200bzero \u0007bell"


def test_text_of_agents_is_never_markup(team, open_page):
    team("init")
    team("add", f"T {EVIL}", "--id", "evil", "--description", f"D {EVIL}", "--label", "safe")
    team("claim", "evil", "--as", "worker-1")
    team("say", "everyone", f"M {EVIL}")
    team("complete", "evil", "--as", "worker-1", "--result", f"R {EVIL}")
    page = open_page(team.web())
    for place in [*VIEWS, "board/task/evil", "board/task/evil/history", "board/task/evil/messages", "agents/agent/worker-1", "search?q=zero", "search?q=%3Cimg%20onerror"]:
        go(page, f"#/{place}")
        expect(page.locator(".page")).not_to_contain_text("Reading…")
        settled(page)
        assert page.evaluate("window.pwned") is None, place
        assert page.evaluate("document.querySelectorAll('#app script, #app img, #app [onerror], #app a[href^=javascript]').length") == 0, place
        text = page.evaluate("document.querySelector('#app').innerText + [...document.querySelectorAll('[title], [aria-label]')].map((n) => n.title + n.ariaLabel).join()")
        assert not set(text) & set("\u202e\u202c\u200b\u0007"), place
    go(page, "#/board/task/evil")
    expect(page.locator("#panel")).to_contain_text("<script>window.pwned = 1</script>")
    expect(page.locator("#panel")).to_contain_text("\\u{202e}dlrow\\u{202c} \\u{200b}zero \\u{7}bell")


def asked(url, **headers):
    """What the server says to a request that no browser would send so."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_who_has_no_token_or_comes_from_elsewhere_gets_nothing(worked, browser):
    url = worked.web()
    base, token = url.split("/?token=")
    for place, headers in (("/", {}), ("/?token=wrong", {}), ("/api/picture", {"Authorization": "Bearer wrong"}), ("/assets/app.js", {})):
        status, body = asked(base + place, **headers)
        assert status == 401 and "lexer" not in body and "agent-team web" in body, (place, status, body)
    bearer = {"Authorization": f"Bearer {token}"}
    for headers in ({"Origin": "http://example.invalid"}, {"Host": "example.invalid"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        status, body = asked(f"{base}/api/picture", **bearer, **headers)
        assert status == 403 and "lexer" not in body, (headers, status, body)
    assert asked(f"{base}/api/picture", **bearer)[0] == 200
    # In a browser: who has no token sees what to do, and nothing else.
    context = browser.new_context()
    page = context.new_page()
    page.goto(base)
    expect(page.locator("body")).to_contain_text("agent-team web")
    context.close()


def test_what_other_servers_of_this_machine_are_sent_opens_nothing(worked, open_page):
    url = worked.web()
    page = open_page(f"{url}#/board/task/parser")
    expect(page.locator("#panel .lead")).to_have_text("Write the parser")
    token = url.split("token=")[1]
    assert token not in page.url and token not in json.dumps(page.context.cookies())
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    base = url.split("/?")[0]
    assert asked(f"{base}/assets/app.js", Cookie=cookie)[0] == 200
    assert asked(f"{base}/api/picture", Cookie=cookie)[0] == 401
    # Another tab knows it, and so does this one after it was loaded anew.
    page.reload()
    expect(page.locator("#panel .lead")).to_have_text("Write the parser")
    other = page.context.new_page()
    other.goto(f"{base}/#/board")
    expect(other.locator(".task-card").first).to_be_visible()


def test_a_wrong_token_takes_the_place_of_none_that_is_good(worked, open_page):
    page = open_page(worked.web())
    base = page.url.split("/#")[0].rstrip("/")
    kept = "localStorage.getItem('agent-team-token')"
    good = page.evaluate(kept)
    page.goto(f"{base}/?token=wrong#/board")
    expect(page.locator(".task-card").first).to_be_visible()
    assert page.evaluate(kept) == good and "token" not in page.url


def test_tabs_that_nobody_sees_take_no_connection_from_the_others(worked, open_page):
    page = open_page(worked.web())
    base = page.url.split("#")[0]
    hides = "Object.defineProperty(document, 'hidden', { get: () => window.unseen ?? false, configurable: true })"
    page.context.add_init_script(hides)
    see = "unseen => { window.unseen = unseen; document.dispatchEvent(new Event('visibilitychange')); }"
    others = []
    for n in range(8):
        other = page.context.new_page()
        other.goto(f"{base}#/board")
        expect(other.locator(".task-card").first).to_be_visible()
        other.evaluate(see, True)
        others.append(other)
    # One of them is seen again, and knows at once what it missed; one that is not goes on, for its title.
    worked("add", "Come in from outside", "--id", "outside")
    others[7].evaluate(see, False)
    expect(others[7].locator("main")).to_contain_text("Come in from outside")
    worked("add", "Once more")
    expect(others[7].locator("main")).to_contain_text("Once more")
    page.bring_to_front()
    page.get_by_role("button", name="Say", exact=True).first.click()
    page.get_by_label("Words").fill("Hello")
    page.keyboard.press("Control+Enter")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_page_whose_token_is_over_says_so(worked, open_page):
    url = worked.web()
    page = open_page(url)
    expect(page.locator(".state.live")).to_be_visible()
    server = worked.children[-1]
    server.kill()
    server.wait()
    expect(page.locator(".state.off")).to_contain_text(re.compile(r"reconnecting since \d+s"))
    # Another one on the same port has another token.
    worked.web("--port", str(urlsplit(url).port))
    expect(page.locator("h1")).to_have_text("This page needs its token")
    open_page.errors.clear()


def test_a_log_is_looked_at_and_nothing_else(worked, open_page, tmp_path):
    (worked.folder / "old.jsonl").write_bytes((worked.folder / ".agent-team/log.jsonl").read_bytes())
    page = open_page(worked.web("--log", "old.jsonl"))
    expect(page.locator(".state.ro")).to_contain_text("read-only")
    pause = page.get_by_role("button", name="Pause team")
    expect(pause).to_have_attribute("aria-disabled", "true")
    expect(pause).to_have_attribute("title", re.compile("only looked at"))
    pause.click(force=True)
    expect(page.locator("dialog")).to_have_count(0)
    # Nor does the server do what another program sends.
    status = page.evaluate("async () => (await fetch('/api/do', { method: 'POST', headers: { ...agentTeam.headers, 'content-type': 'application/json' }, body: '{\"do\":\"pause\"}' })).status")
    assert status == 403


def test_a_refusal_is_said_with_its_command(worked, open_page):
    page = open_page(worked.web())
    page.get_by_role("button", name="Add task").click()
    page.keyboard.type("Too late")
    # What was typed is there the next time.
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add task").click()
    expect(page.get_by_label("Title")).to_have_value("Too late")
    page.get_by_label("After").fill("docs, le")
    expect(page.locator("datalist option")).to_have_attribute("value", "docs, lexer")
    page.get_by_label("After").fill("nothing-of-this-name")
    page.keyboard.press("Control+Enter")
    expect(page.locator("dialog .why")).to_contain_text("agent-team add --after=nothing-of-this-name -- 'Too late'")
    expect(page.locator("dialog")).to_be_visible()
    page.get_by_label("After").fill("docs")
    page.keyboard.press("Control+Enter")
    expect(page.locator("dialog")).to_have_count(0)
    assert any(task["title"] == "Too late" for task in worked.json("list"))
    page.get_by_role("button", name="Add task").click()
    expect(page.get_by_label("Title")).to_have_value("")


def test_a_dialog_goes_with_the_place_where_it_was_opened(worked, open_page):
    page = open_page(worked.web())
    go(page, "#/board")
    go(page, "#/board/task/docs")
    page.locator("#panel").get_by_role("button", name="Cancel").click()
    expect(page.locator("dialog")).to_contain_text("Cancel docs?")
    page.go_back()
    expect(page.locator("#panel")).to_have_count(0)
    expect(page.locator("dialog")).to_have_count(0)
    # The button that opened it is gone, too.
    expect(page.locator("main")).to_be_focused()
    page.go_forward()
    page.locator("#panel").get_by_role("button", name="Cancel").click()
    page.keyboard.press("Escape")
    expect(page.locator("#panel").get_by_role("button", name="Cancel")).to_be_focused()


def test_what_would_help_is_offered_where_it_is_missed(worked, open_page):
    worked("add", "Try it", "--id", "flaky", "--attempts", "1", "--priority", "2147483647")
    worked("add", "Go on", "--id", "then", "--after", "flaky")
    worked("claim", "flaky", "--as", "worker-1")
    page = open_page(worked.web())
    go(page, "#/board")
    expect(page.locator(".task-card", has_text="Try it")).to_contain_text("first")
    worked("fail", "flaky", "--as", "worker-1", "--error", "It does not work.")
    expect(page.locator(".task-card", has_text="Try it").locator(".mark.bad")).to_have_text("attempts used up")
    go(page, "#/board/task/flaky")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("Failed: all of its attempts failed")
    expect(panel.locator(".facts")).to_contain_text("1 of at most 1")
    # Of its own records each says of which kind it is, and none of which task.
    panel.get_by_role("link", name="History").click()
    expect(panel.locator(".record .kind").last).to_have_text("task added")
    expect(panel.locator(".record .kind").last).to_be_visible()
    expect(panel.locator(".record a")).to_have_count(0)
    page.keyboard.press("w")
    panel.get_by_role("button", name="Retry flaky").click()
    expect(page.locator(".toast")).to_contain_text("agent-team retry flaky")
    expect(panel).not_to_contain_text("Retry flaky")
    # Whoever has it already, has left or does other work is given no task.
    worked("agent", "add", "judge", "--role", "reviewer")
    worked("leave", "--as", "worker-1")
    worked("agent", "add", "worker-3")
    go(page, "#/board/task/docs")
    panel.get_by_role("button", name="Reassign").click()
    expect(page.locator("dialog option")).to_have_text(["anyone who fits", "worker-3"])
    page.keyboard.press("Escape")
    # What holds an agent up is taken away where it is.
    go(page, "#/agents/agent/worker-2")
    expect(panel.get_by_role("button", name="Pause")).to_be_visible()
    worked("pause")
    # What was done is said in words; of what was done before the last two things nothing is left.
    for text in ("One", "Two", "Three"):
        panel.get_by_role("button", name="Say").click()
        page.get_by_label("Words").fill(text)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".toast").last).to_contain_text(f"agent-team say worker-2 -- {text}")
    expect(page.locator(".toast p")).to_have_text(["✓ Said to worker-2"] * 2)
    expect(page.locator(".toast code").first).to_contain_text("Two")
    panel.get_by_role("button", name="Resume team").click()
    expect(page.locator(".toast").last).to_contain_text("agent-team resume")
    worked("pause", "worker-2")
    expect(panel.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    worked("resume", "worker-2")
    expect(panel.get_by_role("button", name="Pause")).to_be_visible()
    # Nobody works as one that only a run begins.
    go(page, "#/agents/agent/judge")
    expect(panel.get_by_role("button", name="Say")).to_be_visible()
    expect(panel.get_by_role("button", name="Interrupt")).to_have_count(0)
    expect(panel.get_by_role("button", name="Pause")).to_have_count(0)


def test_of_many_agents_and_tasks_some_are_found(team, open_page):
    team("init")
    tasks = [{"id": f"task-{n}", "title": f"Port part {n}", "labels": ["odd" if n % 2 else "even"]} for n in range(1, 41)]
    (team.folder / "tasks.jsonl").write_text("\n".join(map(json.dumps, tasks)))
    team("add", "--file", "tasks.jsonl")
    for n in range(1, 31):
        team("join", "--as", f"worker-{n}")
    team("claim", "task-7", "--as", "worker-7")
    page = open_page(team.web())
    expect(page.locator(".agent")).to_have_count(1)
    expect(page.locator(".agent")).to_contain_text("worker-7")
    expect(page.locator(".quiet > div")).to_have_count(29)
    expect(page.locator(".quiet > div", has_text="worker-12")).to_contain_text("idle")
    page.keyboard.press("f")
    page.keyboard.type("worker-2")
    # Few are seen with all that is known of them.
    expect(page.locator(".agent h3 a")).to_have_text(["worker-2", *(f"worker-{n}" for n in range(20, 30))])
    page.keyboard.press("Escape")
    expect(page.locator(".quiet > div")).to_have_count(29)
    page.keyboard.type("task-7")
    expect(page.locator(".agent h3 a")).to_have_text(["worker-7"])
    page.keyboard.press("Enter")
    expect(page.locator(".agent h3 a")).to_be_focused()
    page.keyboard.press("2")
    page.keyboard.press("f")
    for words, ids in (("task-39", ["task-39"]), ("worker-7", ["task-7"]), ("odd part 1", ["task-11", "task-13", "task-15", "task-17", "task-19"])):
        page.get_by_label("Filter by id").fill(words)
        for name in ids:
            expect(page.locator(".task-card .top .id", has_text=re.compile(f"^{name}$"))).to_be_visible()
        expect(page.locator("main .tools [role=status]")).to_have_text("1 task" if len(ids) == 1 else "8 tasks")
    # It is kept while one looks at something else.
    page.keyboard.press("ArrowDown")
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("main .tools [role=status]")).to_have_text("8 tasks")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(page.locator("main .tools [role=status]")).to_have_text("40 tasks")


PAINTED = """() => { new MutationObserver((_, watch) => { if (document.querySelector('.page main > *')) { watch.disconnect();
  requestAnimationFrame(() => { const one = new MessageChannel(); one.port1.onmessage = () => { window.painted = performance.now(); }; one.port2.postMessage(0); }); } })
  .observe(document, { childList: true, subtree: true }); }"""


def test_ten_thousand_tasks_are_there_at_once(team, open_page, browser):
    team("init")
    tasks = [{"id": f"task-{n}", "title": f"Port part {n} of the library to the new interface", "after": [f"task-{n // 3}"] if n % 7 else [], "priority": n % 5} for n in range(1, 10001)]
    # A first one for those that come after it.
    tasks.insert(0, {"id": "task-0", "title": "Begin"})
    (team.folder / "tasks.jsonl").write_text("\n".join(map(json.dumps, tasks)))
    team("add", "--file", "tasks.jsonl")
    page = open_page(team.web())
    figures, firsts = [], []
    for view in ("agents", "board"):
        page.goto(page.url.split("#")[0] + f"#/{view}")
        page.add_init_script(f"({PAINTED})()")
        for _ in range(5):
            page.reload()
            page.wait_for_function("() => window.painted")
            data = page.evaluate("performance.getEntriesByType('resource').find((one) => one.name.endsWith('/api/picture')).responseEnd")
            painted = page.evaluate("window.painted")
            figures.append((view, round(painted - data), round(painted)))
            firsts.append(round(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
    print()
    print(f"10,001 tasks: first contentful paint after {sorted(firsts)[5]} ms (median; the longest {max(firsts)})")
    for view in ("agents", "board"):
        after, whole = (sorted(times) for times in zip(*(figure[1:] for figure in figures if figure[0] == view)))
        print(f"10,001 tasks, {view}: drawn {after[2]} ms after the data, {whole[2]} ms after the address was asked for (medians; the longest {whole[4]})")
    assert min(after for _, after, _ in figures) < 1000
    go(page, "#/board")
    cards = page.locator(".task-card")
    expect(cards.first).to_be_visible()
    assert cards.count() < 200
    page.locator(".column .rows").last.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    settled(page)
    assert cards.count() < 200
    go(page, "#/graph")
    expect(page.locator(".graph .tools")).to_contain_text("of 10k tasks")
    expect(page.locator(".box").first).to_be_visible()
    page.get_by_role("button", name="Layers").click()
    expect(page.locator(".graph .tools")).to_contain_text("layers")
    expect(page.locator(".box").first).to_be_visible()


CONTRAST = """() => {
  const ctx = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { ctx.clearRect(0, 0, 1, 1); ctx.fillStyle = colour; ctx.fillRect(0, 0, 1, 1); return [...ctx.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (node) => { for (let one = node; one; one = one.parentElement) { const c = rgba(getComputedStyle(one).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const node of document.querySelectorAll('#app *')) {
    if (![...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim()) || !node.getClientRects().length || node.closest('[aria-disabled], :disabled, svg, .sr, .skip')) continue;
    const [front, back] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${node.outerHTML.slice(0, 100)}`);
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everything_can_be_read_in_both_colours(running, open_page, scheme):
    page = open_page(running.web(), color_scheme=scheme)
    for place in [*VIEWS, "agents/waiting/you", "board/task/tool", "search?q=make"]:
        go(page, f"#/{place}")
        expect(page.locator(".page")).not_to_contain_text("Reading…")
        settled(page)
        assert page.evaluate(CONTRAST) == [], place


def test_the_colours_that_somebody_chose_are_kept(worked, open_page):
    page = open_page(worked.web(), color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.keyboard.press("t")
    page.wait_for_function(f"() => {ground} !== '{light}'")
    dark = page.evaluate(ground)
    page.reload()
    page.wait_for_selector(".page")
    assert page.evaluate(ground) == dark


def test_the_libraries_of_others_are_unchanged():
    readme = (VENDOR / "README.md").read_text()
    named = re.findall(r"^\| (\S+\.js) \|.*`([0-9a-f]{64})` \|$", readme, re.MULTILINE)
    assert sorted(name for name, _ in named) == sorted(file.name for file in VENDOR.glob("*.js"))
    for name, sha256 in named:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256, name
