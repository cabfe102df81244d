"""Teams of functions and of agents of one's own."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agent_team import Agent, AgentRole, AgentTeam, GiveUp, MessageBus, Refused, Task, TeamError, Unable
from conftest import Command


async def echo(prompt: str) -> str:
    return f"{len(prompt)} letters"


def run(team: AgentTeam, **config: Any) -> dict[str, Any]:
    return asyncio.run(team.run(timeout=60, **config))


def one(llm_fn: Any, **task: Any) -> tuple[dict[str, Any], Task]:
    """What becomes of one task of a team of one."""
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, llm_fn)
    added = team.add_task("Do it", backoff_ms=0, **task)
    return run(team), team.queue.get_task(added.id)


def test_the_quick_start_runs_as_it_stands(tmp_path: Path, command: Command) -> None:
    team = AgentTeam(tmp_path)
    team.add_agent("lead-1", AgentRole.LEAD, echo)
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    team.add_agent("worker-2", AgentRole.WORKER, echo)
    team.add_task("Research the problem space")
    t2 = team.add_task("Implement solution A")
    t3 = team.add_task("Implement solution B")
    t4 = team.add_task("Compare and synthesize", dependencies=[t2.id, t3.id])
    assert t4.status == "blocked"

    status = asyncio.run(team.run(timeout=300))

    assert (status["completed"], status["total"], status.outcome) == (4, 4, "completed")
    assert status.summary
    # It is the team of the command as well.
    assert "completed  4" in command("status")
    assert "Compare and synthesize" in command("show", t4.id)


def test_a_prompt_holds_what_the_tasks_gave_that_it_depends_on() -> None:
    prompts: list[str] = []

    def plain(prompt: str) -> str:
        prompts.append(prompt)
        return "forty-two" if "Ask" in prompt else "thanks"

    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, plain)
    asked = team.add_task("Ask")
    team.add_task("Tell", dependencies=[asked])
    assert run(team)["completed"] == 2
    assert "forty-two" in prompts[1] and "worker-1" in prompts[1]


def test_plain_functions_run_beside_each_other_and_the_loop() -> None:
    let_go = threading.Event()

    async def both() -> dict[str, Any]:
        loop, met = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(met.set)

        together = threading.Barrier(16, action=tell, timeout=30)

        def waits(_: str) -> str:
            together.wait()
            return "met" if let_go.wait(30) else "the loop stood still"

        team = AgentTeam()
        for number in range(16):
            team.add_agent(f"worker-{number}", AgentRole.WORKER, waits)
            team.add_task(f"Meet {number}")
        running = asyncio.create_task(team.run(timeout=60))
        await met.wait()
        let_go.set()
        status = await running
        assert {task.result for task in team.queue} == {"met"}
        return status

    assert asyncio.run(both())["completed"] == 16


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "gave NoneType"), (b"done", "gave bytes"), (7, "gave int")],
)
def test_what_is_no_text_fails_the_attempt_and_says_so(answer: object, words: str) -> None:
    status, task = one(lambda _: answer, attempts=1)
    assert (status["failed"], status["outcome"], task.status) == (1, "stuck", "failed")
    assert words in task.view["feedback"][0]["text"]


async def ends_by_what_it_awaited(_: str) -> str:
    waits = asyncio.get_running_loop().create_future()
    waits.cancel()
    await waits
    return "never"


class Odd(BaseException):
    def __str__(self) -> str:
        raise ValueError("it has no text")


async def raises_what_has_no_text(_: str) -> str:
    raise Odd


async def raises_half_a_character(_: str) -> str:
    raise ValueError("\ud83d")


@pytest.mark.parametrize(
    ("llm_fn", "words"),
    [
        (ends_by_what_it_awaited, "CancelledError"),
        (raises_what_has_no_text, "Odd"),
        (raises_half_a_character, "ValueError: ?"),
        (lambda _: "\ud83d", "no text that can be written"),
    ],
    ids=["cancelled", "no exception", "half in an exception", "half in a result"],
)
def test_a_call_that_ends_in_whatever_way_is_an_attempt_and_not_made_again_without_end(llm_fn: Any, words: str) -> None:
    status, task = one(llm_fn, attempts=2)
    assert (status["outcome"], task.status, task.attempt) == ("stuck", "failed", 2)
    assert words in task.view["feedback"][0]["text"]


def test_texts_of_any_length_are_kept_also_in_memory() -> None:
    long = "x" * 1_000_000
    status, task = one(lambda _: long)
    assert (status["completed"], task.result) == (1, long)
    bus = MessageBus()
    bus.send("lead-1", "worker-1", long)
    assert [message.content for message in bus.receive("worker-1")] == [long]


def test_an_exception_fails_the_attempt_and_the_next_one_is_told() -> None:
    prompts: list[str] = []

    async def at_second(prompt: str) -> str:
        prompts.append(prompt)
        if len(prompts) == 1:
            raise ValueError("no such printer")
        return "printed"

    status, task = one(at_second)
    assert (status["completed"], task.attempt, task.result) == (1, 2, "printed")
    assert "ValueError: no such printer" in prompts[1]


def test_who_gives_up_or_is_unable_says_so_for_all_attempts() -> None:
    def gives_up(_: str) -> str:
        raise GiveUp("there is no paper")

    def is_unable(_: str) -> str:
        raise Unable("the key is refused")

    status, task = one(gives_up)
    assert (task.status, task.attempt, task.view["failure"]) == ("failed", 1, "given_up")
    status, task = one(is_unable)
    assert (task.status, status["failed"]) == ("ready", 0)
    assert any("the key is refused" in error for error in status["errors"])


class SecurityAgent(Agent):
    async def execute_task(self, task: Task) -> str:
        assert task.stage == "work" and "specialist" in task.prompt
        return f"Looked at {task.description!r}: nothing found. Before: {dict(task.results)}"


def test_an_agent_of_ones_own_does_what_wants_its_skill() -> None:
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    guard = team.add_agent(SecurityAgent("guard", AgentRole.SPECIALIST, skills=["security"]))
    first = team.add_task("Write it")
    second = team.add_task("Audit it", dependencies=[first.id], skill="security")
    assert run(team)["completed"] == 2
    audited = team.queue.get_task(second.id)
    assert (audited.agent, guard) == ("guard", team.agents["guard"])
    assert audited.result is not None and "Audit it" in audited.result and first.id in audited.result


def test_a_reviewer_sends_back_what_is_wrong() -> None:
    def worker(prompt: str) -> str:
        return "a long story" if "too short" in prompt else "short"

    def reviewer(prompt: str) -> str:
        return "APPROVE: good" if "a long story" in prompt else "REJECT: too short"

    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, worker)
    team.add_agent("critic", AgentRole.REVIEWER, reviewer)
    story = team.add_task("Tell a story", review=True)
    assert run(team)["completed"] == 1
    told = team.queue.get_task(story.id)
    assert (told.attempt, told.result) == (2, "a long story")


def test_who_cancels_a_run_ends_it_and_nothing_stays_held() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(_: str) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    async def cancel() -> AgentTeam:
        team = AgentTeam()
        team.add_agent("worker-1", AgentRole.WORKER, endless)
        team.add_task("Wait")
        running = asyncio.create_task(team.run())
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.wait_for(cancelled.wait(), 30)
        return team

    team = asyncio.run(cancel())
    status = team.get_status()
    assert (status["running"], status["ready"]) == (0, 1)


@pytest.mark.parametrize("is_plain", [False, True], ids=["async", "plain"])
def test_who_cancels_an_agent_that_works_alone_ends_it_and_its_task_is_free(is_plain: bool) -> None:
    async def cancels() -> None:
        loop, begun, cancelled = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

        async def never(_: str) -> str:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return ""

        def blocks(_: str) -> str:
            loop.call_soon_threadsafe(begun.set)
            threading.Event().wait()
            return ""

        team = AgentTeam()
        agent = Agent("worker-1", AgentRole.WORKER, blocks if is_plain else never, team.queue, team.bus)
        task = team.add_task("Wait")
        working = asyncio.create_task(agent.run_loop())
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        if not is_plain:
            await cancelled.wait()
        assert team.get_task(task.id).status == "ready"

    asyncio.run(asyncio.wait_for(cancels(), 30))


def test_a_time_limit_ends_a_run_and_the_next_one_goes_on() -> None:
    is_slow = True

    async def slow(_: str) -> str:
        if is_slow:
            await asyncio.Event().wait()
        return "done"

    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, slow)
    team.add_task("Wait")
    assert asyncio.run(team.run(timeout=0.1, grace=0)).outcome == "timed_out"
    is_slow = False
    assert asyncio.run(team.run(timeout=60)).outcome == "completed"


def test_an_agent_alone_works_until_it_is_stopped_or_nothing_is_left() -> None:
    team = AgentTeam()
    agent = Agent("worker-1", AgentRole.WORKER, echo, team.queue, team.bus)
    for number in range(3):
        team.add_task(f"Count {number}")
    assert asyncio.run(agent.run_loop(max_iterations=2)) == 2
    assert asyncio.run(agent.run_loop()) == 1
    assert team.get_status()["completed"] == 3
    # It was a member as long as it worked, with what it can do.
    team.add_task("Audit it", skill="security")
    guard = SecurityAgent("guard", AgentRole.SPECIALIST, task_queue=team.queue, skills=["security"])
    assert asyncio.run(guard.run_loop()) == 1
    assert [(known["id"], known["left"]) for known in team.get_status()["agents"]] == [
        ("guard", True),
        ("worker-1", True),
    ]


def test_an_agent_that_is_stopped_before_it_begins_does_nothing() -> None:
    team = AgentTeam()
    agent = Agent("worker-1", AgentRole.WORKER, echo, team.queue, team.bus)
    team.add_task("Do it")

    async def stopped() -> int:
        working = asyncio.create_task(agent.run_loop())
        agent.stop()
        return await working

    assert asyncio.run(stopped()) == 0
    assert asyncio.run(agent.run_loop()) == 1
    with pytest.raises(ValueError, match="less than nothing"):
        asyncio.run(agent.run_loop(max_iterations=-1))


def test_what_would_be_strange_is_refused_in_plain_words() -> None:
    team = AgentTeam()
    begun = asyncio.Event()

    async def never(_: str) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    team.add_agent("worker-1", AgentRole.WORKER, never)
    team.add_task("Wait")

    async def strange() -> None:
        running = asyncio.create_task(team.run(timeout=math.inf))
        await begun.wait()
        with pytest.raises(TeamError, match="being run already"):
            await team.run()
        with pytest.raises(TeamError, match="from the next run on"):
            team.add_agent("worker-2", AgentRole.WORKER, echo)
        with pytest.raises(RuntimeError, match="await team"):
            team.run_sync()
        # The table of the status is what one looks at meanwhile.
        assert "<td>t1</td>" in team._repr_html_()
        running.cancel()

    asyncio.run(strange())
    for seconds in (-1, math.nan):
        with pytest.raises(ValueError, match="not below 0"):
            team.run_sync(timeout=seconds)


def test_a_lead_that_is_a_function_splits_a_goal_into_tasks() -> None:
    prompts: list[str] = []

    async def lead(prompt: str) -> str:
        prompts.append(prompt)
        if "Split the goal" not in prompt:
            return "All is done."
        if "Your answer so far" not in prompt:
            return "1. Write it. 2. Test it."
        return 'Two tasks: {"tasks": [{"id": "write", "title": "Write it"}, {"title": "Test it", "after": ["write"]}]}'

    team = AgentTeam()
    team.add_agent("lead-1", AgentRole.LEAD, lead)
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    status = run(team, goal="Make a parser")
    assert (status["outcome"], status["summary"]) == ("completed", "All is done.")
    titles = [task.title for task in team.queue if task.agent == "worker-1"]
    assert titles == ["Write it", "Test it"]
    assert "You have no tools" in prompts[0] and "no JSON" in prompts[1]


def test_of_a_function_that_leads_what_was_approved_is_done_and_nothing_else(tmp_path: Path) -> None:
    asked = 0

    async def lead(prompt: str) -> str:
        nonlocal asked
        if "Split the goal" not in prompt:
            return "All is done."
        asked += 1
        return f'{{"tasks": [{{"title": "Plan {asked}"}}]}}'

    async def approved() -> AgentTeam:
        team = AgentTeam(tmp_path)
        team.add_agent("lead-1", AgentRole.LEAD, lead)
        team.add_agent("worker-1", AgentRole.WORKER, echo)
        running = asyncio.create_task(team.run(timeout=60, goal="Make a parser", approve_plan=True))
        async for record in team.records(follow=True):
            if record.kind == "plan_submitted":
                ((task, plan),) = team.plans().items()
                assert '"Plan 1"' in plan
                team.approve_plan(task)
                break
        assert (await running).outcome == "completed"
        return team

    team = asyncio.run(approved())
    assert [task.title for task in team.queue if task.agent == "worker-1"] == ["Plan 1"]


def test_a_goal_that_a_lead_makes_no_tasks_of_is_not_completed() -> None:
    team = AgentTeam()
    team.add_agent("lead-1", AgentRole.LEAD, echo)
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    status = run(team, goal="Make a parser", replans=0)
    assert status["outcome"] == "stuck" and status["failed"] == 1


def test_what_goes_wrong_is_logged_where_nobody_has_asked_for_more(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: str) -> str:
        raise ValueError("no paper")

    one(fails, attempts=1)
    assert [(record.name, record.levelname) for record in caplog.records] == [("agent_team", "WARNING")]
    assert "no paper" in caplog.text


def test_who_hears_of_progress_and_breaks_down_does_not_break_the_run(caplog: pytest.LogCaptureFixture) -> None:
    def hears(_: dict[str, Any]) -> None:
        raise ValueError("deaf")

    async def never(_: dict[str, Any]) -> None: ...

    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    team.add_task("Do it")
    with pytest.raises(TypeError, match="plain function"):
        run(team, on_progress=never)
    assert run(team, on_progress=hears)["completed"] == 1
    assert "deaf" in caplog.text


def test_a_lawful_no_is_told_apart_from_what_is_broken() -> None:
    team = AgentTeam()
    with pytest.raises(TeamError, match="no agents"):
        asyncio.run(team.run())
    with pytest.raises(Refused) as refused:
        team.add_task("Read it", dependencies=["nowhere"])
    assert refused.value.code == "missing_dependency"
    with pytest.raises(TeamError, match="two agents"):
        for _ in range(2):
            team.add_agent("worker-1", AgentRole.WORKER, echo)
    with pytest.raises(TeamError, match="unknown"):
        run(team, gaet="true")
    with pytest.raises(TeamError, match="unknown"):
        team.add_task("Read it", colour="green")
    with pytest.raises(TeamError, match="time_limit: "):
        team.add_task("Read it", time_limit=1)
    with pytest.raises(TypeError, match="several"):
        team.add_task("Read it", dependencies="t1")
    with pytest.raises(TeamError, match="is no "):
        team.add_agent("a b", AgentRole.WORKER, echo)


def test_a_model_is_named_as_on_the_command_line(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"rules": [{"give": {"text": "It is written."}}]}')
    team = AgentTeam(tmp_path / "team")
    team.add_agent("worker-1", AgentRole.WORKER, f"script:{script}")
    team.add_agent("worker-2", AgentRole.WORKER, echo)
    mine = team.add_task("Write it", agent="worker-1")
    run(team, no_gate=True)
    assert team.queue.get_task(mine.id).result == "It is written."


def test_async_functions_work_at_the_same_time() -> None:
    here, all_here = 0, asyncio.Event()

    async def waits(_: str) -> str:
        nonlocal here
        here += 1
        if here == 4:
            all_here.set()
        await all_here.wait()
        return "met"

    team = AgentTeam()
    for number in range(4):
        team.add_agent(f"worker-{number}", AgentRole.WORKER, waits)
        team.add_task(f"Meet {number}")
    assert run(team)["completed"] == 4


def test_a_plan_waits_for_the_word_of_a_person(tmp_path: Path) -> None:
    async def worker(prompt: str) -> str:
        if "Say how you mean to do it" in prompt:
            return "Delete the tests." if "keep the tests" not in prompt else "Mend the code."
        return "mended"

    async def judged() -> tuple[AgentTeam, list[str]]:
        team = AgentTeam(tmp_path)
        team.add_agent("worker-1", AgentRole.WORKER, worker)
        team.add_task("Make it green", id="green", plan=True)
        running, seen = asyncio.create_task(team.run(timeout=60)), list[str]()
        async for record in team.records(follow=True):
            if record.kind == "plan_submitted":
                text = team.plans()["green"]
                seen.append(text)
                if text == "Delete the tests.":
                    team.reject_plan("green", "keep the tests")
                else:
                    team.approve_plan("green")
            elif record.kind == "run_ended":
                break
        assert (await running)["completed"] == 1
        return team, seen

    team, seen = asyncio.run(judged())
    assert seen == ["Delete the tests.", "Mend the code."]
    assert team.queue.get_task("green").result == "mended"


def test_what_waits_for_a_review_is_approved_or_sent_back_by_a_person() -> None:
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, lambda prompt: "longer" if "too short" in prompt else "short")
    story = team.add_task("Tell a story", review=True)
    assert run(team)["completed"] == 0
    assert team.queue.get_task(story.id).status == "reviewing"
    team.reject(story.id, "It is too short")
    assert run(team)["completed"] == 0
    team.approve(story.id)
    assert team.queue.get_task(story.id).status == "completed"
    with pytest.raises(Refused):
        team.approve(story.id)


def test_who_is_paused_begins_nothing() -> None:
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    team.add_task("Do it")
    assert team.pause(reason="lunch")
    assert asyncio.run(team.run(timeout=0.2, grace=0)).outcome == "timed_out"
    assert team.resume() and not team.resume()
    assert run(team)["completed"] == 1


def test_records_are_read_and_followed_and_progress_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="agent_team")
    heard: list[str] = []
    notes: list[str] = []

    def hear(told: dict[str, Any]) -> None:
        heard.append(told["progress"])
        if told["progress"] == "note":
            notes.append(told["text"])

    async def followed() -> list[str]:
        team = AgentTeam(tmp_path)
        team.add_agent("worker-1", AgentRole.WORKER, echo)
        task = team.add_task("Do it")
        running = asyncio.create_task(team.run(timeout=60, budget={"attempts": 1}, on_progress=hear))
        kinds: list[str] = []
        async for record in team.records(follow=True):
            assert record.fate == "effective" and record.record["kind"] == record.kind
            kinds.append(record.kind)
            if record.kind == "run_ended":
                break
        await running
        assert kinds == [record.kind async for record in team.records()][: len(kinds)]
        assert task.id in caplog.text
        return kinds

    kinds = asyncio.run(followed())
    assert {"task_added", "task_claimed", "task_submitted"} <= set(kinds)
    assert "began" in heard and "delivered" in heard
    assert any("attempts" in note for note in notes), notes
    with pytest.raises(TeamError, match="in memory"):
        AgentTeam().records()


def test_limits_are_set_one_by_one_and_taken_away_again() -> None:
    team = AgentTeam()
    budget = team.set_budget(usd=5, tokens=1_000)
    assert (budget.usd, budget.tokens, budget.turns, budget.spent_usd) == (5.0, 1_000, None, 0.0)
    assert (team.set_budget(usd=None).usd, team.set_budget().tokens) == (None, 1_000)
    assert team.set_budget("agent:worker-1", time=1.5).time == 1.5
    assert [budget.account for budget in team.budgets()][:1] == ["team"]
    with pytest.raises(TeamError, match="team, run, agent:NAME or task:ID"):
        team.set_budget("everyone", usd=1)
    with pytest.raises(ValueError, match="not below 0"):
        team.set_budget(usd=-1)


def test_attempts_that_are_used_up_end_a_run_and_what_is_raised_goes_on() -> None:
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    for number in range(3):
        team.add_task(f"Count {number}")
    assert run(team, budget={"attempts": 1})["completed"] == 1
    team.set_budget(attempts=None)
    assert run(team)["completed"] == 3


def test_money_is_not_spent_without_a_limit_unless_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("OPENAI_API_KEY", "no-key")
        team = AgentTeam()
        team.add_agent("worker-1", AgentRole.WORKER, "openai:gpt-6.1-sol")
        team.add_task("Do it")
        where: dict[str, Any] = {"base_url": f"http://127.0.0.1:{nobody.getsockname()[1]}", "no_gate": True}
        with pytest.raises(TeamError, match="without a budget") as refused:
            run(team, **where)
        assert refused.value.hint is not None and "budget=" in refused.value.hint
        assert team.get_status()["running"] == 0

        async def begins() -> None:
            begun = asyncio.Event()
            running = asyncio.create_task(team.run(budget={"usd": 1}, on_progress=lambda _: begun.set(), **where))
            await begun.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        asyncio.run(asyncio.wait_for(begins(), 60))


def test_notes_are_shown_to_whoever_takes_a_task_with_their_label() -> None:
    prompts: dict[str, str] = {}

    async def worker(prompt: str) -> str:
        prompts["parser" if "Parse it" in prompt else "printer"] = prompt
        return "done"

    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, worker)
    team.add_note("The grammar is ambiguous.", ["parser"])
    team.add_task("Parse it", labels=["parser"])
    team.add_task("Print it")
    assert run(team)["completed"] == 2
    assert ["ambiguous" in prompts[label] for label in ("parser", "printer")] == [True, False]
    (note,) = team.notes(["parser"])
    assert (note.text, note.agent, note.labels) == ("The grammar is ambiguous.", "human", ("parser",))


def test_a_run_ends_with_the_block_that_it_was_begun_in() -> None:
    async def leaves() -> AgentTeam:
        begun = asyncio.Event()

        async def never(_: str) -> str:
            begun.set()
            await asyncio.Event().wait()
            return ""

        async with AgentTeam() as team:
            team.add_agent("worker-1", AgentRole.WORKER, never)
            team.add_task("Wait")
            running = asyncio.create_task(team.run())
            await begun.wait()
        assert (await running).outcome == "interrupted"
        return team

    team = asyncio.run(asyncio.wait_for(leaves(), 60))
    assert (team.get_status()["running"], team.get_status()["ready"]) == (0, 1)


def test_a_notebook_shows_the_tasks_with_what_they_wait_for() -> None:
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, echo)
    first = team.add_task("Write <b>it</b>", id="write")
    team.add_task("Read it", id="read", dependencies=[first])
    team.add_task("Print it", id="print", dependencies=["read", "write"])
    shown = team._repr_html_()
    picture = ElementTree.fromstring(shown[shown.index("<svg") : shown.rindex("</svg>") + 6])
    names = [element.tag.rpartition("}")[2] for element in picture.iter()]
    assert (names.count("rect"), names.count("path"), len(team.graph())) == (3, 3, 3)
    assert "Write &lt;b&gt;it" in shown and "<b>" not in shown
    assert team.graph().mermaid().startswith("flowchart") and team.graph().dot().startswith("digraph")
    assert run(team)["completed"] == 3
    assert "worker-1" in team._repr_html_()
    assert AgentTeam()._repr_html_()
