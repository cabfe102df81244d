"""A team made in Python and one made with the command are the same team."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_team import AgentRole, AgentTeam, Record, TeamError
from agent_team.team import _command
from conftest import Command

#: A model that never comes to an end in a test.
SLOW = {"rules": [{"give": {"text": "It is written.", "delay_ms": 600_000}}]}
QUICK = {"rules": [{"give": {"text": "It is written."}}]}

RUNS = """
import asyncio, sys
from agent_team import AgentTeam

async def never(prompt: str) -> str:
    print("it works", flush=True)
    await asyncio.Event().wait()
    return ""

team = AgentTeam(sys.argv[1])
team.add_agent("worker-1", "worker", never)
asyncio.run(team.run())
"""

BLOCKS = RUNS.replace("async def never", "def never").replace(
    "await asyncio.Event().wait()", "threading.Event().wait()"
)
BLOCKS = BLOCKS.replace("import asyncio, sys", "import asyncio, sys, threading")


async def done(_: str) -> str:
    return "done by Python"


def working(code: str, folder: Path) -> subprocess.Popen[str]:
    """A program whose agent works on something."""
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None and program.stdout.readline() == "it works\n"
    return program


async def until(team: AgentTeam, kind: str) -> Record:
    """The first record of a kind."""
    async for record in team.records(follow=True):
        if record.kind == kind:
            return record
    raise AssertionError("a log that is followed has no end")


def test_python_watches_a_run_of_the_command_and_goes_on_where_it_was_killed(tmp_path: Path, command: Command) -> None:
    (tmp_path / "slow.json").write_text(json.dumps(SLOW))
    command("init")
    command("add", "Write it", "--id", "write")
    command("add", "Read it", "--after", "write")
    team = AgentTeam(tmp_path)
    with command.started("run", "--with", "script:slow.json", "--no-gate", "--no-sandbox") as running:
        claimed = asyncio.run(asyncio.wait_for(until(team, "task_claimed"), 60))
        assert (claimed.task, team.get_task("write").status) == ("write", "running")
        team.add_agent("worker-9", AgentRole.WORKER, done)
        with pytest.raises(TeamError, match="another process runs this team") as refused:
            asyncio.run(team.run(timeout=60))
        assert refused.value.hint is not None
        running.kill()
        running.communicate(timeout=60)
    status = asyncio.run(team.run(timeout=60))
    assert (status["completed"], status["total"]) == (2, 2)
    assert "done by Python" in command("show", "write")


def test_the_command_joins_a_run_of_python_and_goes_on_where_it_was_killed(tmp_path: Path, command: Command) -> None:
    (tmp_path / "quick.json").write_text(json.dumps(QUICK))
    team = AgentTeam(tmp_path)
    first = team.add_task("Write it", id="write")
    team.add_task("Draw it", id="draw")
    team.add_task("Read it", dependencies=[first])
    program = working(RUNS, tmp_path)
    assert "running" in command("status")
    # Somebody at a terminal takes what is free.
    assert "draw" in command("claim", "--as", "anna")
    command("complete", "draw", "--as", "anna", "--result", "drawn by hand")
    program.kill()
    program.communicate(timeout=60)
    command("run", "--with", "script:quick.json", "--no-gate", "--no-sandbox", "--timeout", "60s")
    results = {task.title: task.result for task in team.queue}
    assert results == {"Write it": "It is written.", "Draw it": "drawn by hand", "Read it": "It is written."}


@pytest.mark.parametrize("code", [RUNS, BLOCKS], ids=["async", "plain"])
def test_ctrl_c_ends_a_run_at_once_and_gives_back_what_is_held(tmp_path: Path, code: str) -> None:
    team = AgentTeam(tmp_path)
    task = team.add_task("Wait")
    program = working(code, tmp_path)
    assert team.get_task(task.id).status == "running"
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=30)
    # What Python says to Ctrl-C.
    assert said.rstrip().endswith("KeyboardInterrupt") and program.returncode in (130, -signal.SIGINT)
    given_back = team.get_task(task.id)
    assert (given_back.status, given_back.view["feedback"]) == ("ready", [])


def test_a_team_of_a_file_runs_as_the_command_would_run_it(tmp_path: Path, command: Command) -> None:
    (tmp_path / "quick.json").write_text(json.dumps(QUICK))
    (tmp_path / "team.toml").write_text(
        'with = "script:quick.json"\nno_gate = true\n\n[sandbox]\nkind = "none"\n\n'
        '[[agent]]\nname = "writer"\nrole = "worker"\n\n[[task]]\nid = "write"\ntitle = "Write it"\n'
    )
    team = AgentTeam.from_config(tmp_path / "team.toml")
    with pytest.raises(TeamError, match="sandbox") as refused:
        asyncio.run(team.run(timeout=60))
    assert refused.value.hint is not None and "agent-team trust" in refused.value.hint
    (tmp_path / "team.toml").write_text(
        (tmp_path / "team.toml").read_text().replace('\n[sandbox]\nkind = "none"\n', "")
    )
    team.add_agent("reader", AgentRole.REVIEWER, done)
    assert asyncio.run(team.run(timeout=60))["completed"] == 1
    assert (team.get_task("write").result, team.get_task("write").agent) == ("It is written.", "writer")
    assert "Write it" in command("list")
    with pytest.raises(TeamError, match="no such file"):
        AgentTeam.from_config(tmp_path / "nothing.toml")


def test_git_ignores_a_team_that_python_has_made_as_one_of_the_command(tmp_path: Path) -> None:
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True)
        return done.stdout

    git("init", "--quiet")
    AgentTeam(tmp_path).add_task("Do it")
    assert git("status", "--porcelain") == ""


def test_a_run_finds_the_command_that_came_with_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert _command() == Path(sys.executable).parent / "agent-team"
