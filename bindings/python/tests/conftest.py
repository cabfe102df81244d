"""What the tests share: the command, and teams that are made and run in one line."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent_team import AgentRole, AgentTeam, Task


class Command:
    """The command `agent-team` in a folder, with nothing of this environment but what it needs."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.program = folder, program

    def __call__(self, *arguments: str) -> str:
        with self.started(*arguments) as running:
            printed, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        return printed

    def fails(self, *arguments: str) -> str:
        """What it says when it does not do what it was asked."""
        with self.started(*arguments) as running:
            _, said = running.communicate(timeout=60)
        assert running.returncode != 0
        return said

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return subprocess.Popen(
            [self.program, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def command(tmp_path: Path) -> Command:
    # The wheel carries it.
    program = shutil.which("agent-team")
    assert program is not None, "the command agent-team is not installed"
    return Command(tmp_path, program)


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
