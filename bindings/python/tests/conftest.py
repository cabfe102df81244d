"""What the tests share: the command, and a team that a test may not leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


class Command:
    """The command `agent-team` in a folder, with nothing of this environment but what it needs."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.program = folder, program

    def __call__(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def command(tmp_path: Path) -> Command:
    program = os.environ.get("AGENT_TEAM_COMMAND") or shutil.which("agent-team")
    if program is None:
        assert not os.environ.get("AGENT_TEAM_ALL"), "AGENT_TEAM_COMMAND does not say where the command is"
        pytest.skip("the command agent-team is not installed")
    return Command(tmp_path, program)
