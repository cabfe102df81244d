"""The word of a person: reviews, plans, pauses, limits, notes."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from agent_team import AgentRole, AgentTeam, Refused, TeamError
from conftest import echo, run


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
