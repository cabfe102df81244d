"""Running a team, looking at it, and ending it."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agent_team import AgentRole, AgentTeam, Refused, TeamError
from conftest import Command, echo, one, run


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
