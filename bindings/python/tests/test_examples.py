"""The examples run as they stand; those with an SDK against fake providers on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAKES = HERE.parents[2] / "crates" / "cli" / "tests" / "providers"


def ran(example: str, *arguments: str, **variables: str) -> str:
    """What an example prints, with nothing of this environment but what it needs."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    program = [sys.executable, str(HERE.parent / "examples" / example), *arguments]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def provider(program: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """A fake provider: its address, and the file of what it was asked."""
    (folder / "script.json").write_text("{}")
    command = [sys.executable, str(FAKES / program), "script.json", "asked.jsonl"]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}
    ) as fake:
        assert fake.stdin is not None and fake.stdout is not None
        yield f"http://127.0.0.1:{fake.stdout.readline().strip()}", folder / "asked.jsonl"
        fake.stdin.close()


def test_the_quick_start(tmp_path: Path) -> None:
    assert ran("quickstart.py", str(tmp_path)) == "Completed: 4/4\n"


def test_an_agent_of_ones_own() -> None:
    assert ran("security_agent.py") == "leaks: {'t1': ['password =']}\n"


@pytest.mark.parametrize(
    ("example", "fake", "variable", "path"),
    [
        ("with_anthropic.py", "anthropic_messages.py", "ANTHROPIC", ""),
        ("with_openai.py", "openai_completions.py", "OPENAI", "/v1"),
    ],
)
def test_an_sdk(tmp_path: Path, example: str, fake: str, variable: str, path: str) -> None:
    with provider(fake, tmp_path) as (url, asked):
        said = ran(example, **{f"{variable}_BASE_URL": url + path, f"{variable}_API_KEY": "no-key"})
        calls = [json.loads(line) for line in asked.read_text().splitlines()]
    assert said == "".join(f"Say one thing about {animal}, in a sentence: ok\n" for animal in ("otters", "herons"))
    assert len(calls) == 2 and all("Say one thing" in json.dumps(call["body"]) for call in calls)


ENDS = """
import asyncio
from agent_team import AgentTeam
team = AgentTeam()
for number in range(4):
    team.add_agent(f"worker-{number}", "worker", lambda prompt: "done")
    team.add_task(f"Count {number}")
asyncio.run(team.run())
"""


def test_an_interpreter_that_ends_right_after_a_run_ends_well() -> None:
    programs = [subprocess.Popen([sys.executable, "-c", ENDS], stderr=subprocess.PIPE) for _ in range(20)]
    ended = [(program.communicate(timeout=60)[1], program.returncode) for program in programs]
    assert ended == [(b"", 0)] * 20
