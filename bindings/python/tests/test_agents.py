"""What becomes of what functions and agents of one's own give, raise and ask for."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from agent_team import Agent, AgentRole, AgentTeam, GiveUp, MessageBus, Task, Unable
from conftest import echo, one, run


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
