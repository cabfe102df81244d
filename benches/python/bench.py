"""What the Python interface is worth in speed: claims per second, and the time that 16 agents take for 1,000 instant tasks, beside the
design that the project began with (``sketch.py``) and the raw limit.

    pip install ./bindings/python
    python benches/python/bench.py            # a minute or less, most of it the sketch's
    python benches/python/bench.py --quick    # a tenth of everything, to see that it runs: nothing is judged

Each figure is the median of three, but for the sketch's, which are measured once. ``times`` compares equal guarantees. A claim is counted with the delivery of its result:
both are written. ``process`` is what a crash of the process leaves, as with the sketch, which syncs nothing; ``power`` is this project's
default, and outlives a loss of power. The raw limit is a Python loop that appends two records of the same length to a file, and for the
makespan 1,000 calls of the function by 16 asyncio tasks.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sketch
from agent_team import AgentRole, AgentTeam, TaskQueue

#: What the project has to be faster by.
WANTED = 100
ROUNDS = 3
#: How long a record is, about.
RECORD = b"\n" + b"x" * 180


async def instant(_: str) -> str:
    return "done"


def claims_of_sketch(folder: Path, tasks: int, claims: int) -> float:
    queue = sketch.TaskQueue(folder)
    for number in range(tasks):
        queue.add_task(f"Count {number}")
    began = time.perf_counter()
    for _ in range(claims):
        task = queue.claim_task("worker-1")
        assert task is not None
        queue.complete_task(task, "done")
    return claims / (time.perf_counter() - began)


def claims_of_ours(folder: Path, durability: str, tasks: int, claims: int) -> float:
    queue = TaskQueue(folder, durability=durability)
    queue.add_tasks({"description": f"Count {number}"} for number in range(tasks))
    began = time.perf_counter()
    for _ in range(claims):
        task = queue.claim_task("worker-1")
        assert task is not None
        queue.complete_task(task.id, "done")
    return claims / (time.perf_counter() - began)


def raw_claims(folder: Path, claims: int) -> float:
    log = os.open(folder / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    began = time.perf_counter()
    for _ in range(claims):
        os.write(log, RECORD)
        os.write(log, RECORD)
    took = time.perf_counter() - began
    os.close(log)
    return claims / took


def makespan_of_sketch(folder: Path, tasks: int, agents: int) -> float:
    team = sketch.AgentTeam(folder)
    for number in range(tasks):
        team.queue.add_task(f"Count {number}")
    for number in range(agents):
        team.add_agent(f"worker-{number}", instant)
    began = time.perf_counter()
    assert asyncio.run(team.run(timeout=3_600))["completed"] == tasks
    return time.perf_counter() - began


def makespan_of_ours(folder: Path, durability: str, tasks: int, agents: int) -> float:
    team = AgentTeam(folder, durability=durability)
    team.add_tasks({"description": f"Count {number}"} for number in range(tasks))
    for number in range(agents):
        team.add_agent(f"worker-{number}", AgentRole.WORKER, instant)
    began = time.perf_counter()
    assert asyncio.run(team.run(timeout=3_600))["completed"] == tasks
    return time.perf_counter() - began


def raw_makespan(_: Path, tasks: int, agents: int) -> float:
    left = iter(range(tasks))

    async def loop() -> None:
        for _ in left:
            await instant("")
            await asyncio.sleep(0)

    async def whole() -> None:
        await asyncio.gather(*(loop() for _ in range(agents)))

    began = time.perf_counter()
    asyncio.run(whole())
    return time.perf_counter() - began


@dataclass(frozen=True)
class Row:
    """One figure: the sketch's, ours by how durable it is, and the raw limit."""

    name: str
    sketch: float
    process: float
    power: float
    raw: float
    #: How much faster ours is than the sketch, under the same guarantee.
    times: float

    def __str__(self) -> str:
        figures = (self.sketch, self.process, self.power, self.raw)
        return f"{self.name:36}" + "".join(f"{figure:>12,.4g}" for figure in figures) + f"{self.times:>8,.0f}"


def measured(what: Callable[..., float], *arguments: object, rounds: int = ROUNDS) -> float:
    """The median of some rounds, each in a folder of its own."""

    def once() -> float:
        with tempfile.TemporaryDirectory(prefix="agent-team-bench-") as folder:
            return what(Path(folder), *arguments)

    return statistics.median(once() for _ in range(rounds))


def claims(tasks: int, slow: int) -> Row:
    """Claims per second where so many tasks are; the sketch makes a few alone."""
    some = min(tasks, 1_000)
    theirs = measured(claims_of_sketch, tasks, slow, rounds=1)
    process, power = (measured(claims_of_ours, durability, tasks, some) for durability in ("process", "power"))
    name = f"claims/s, {tasks:,} tasks"
    return Row(name, theirs, process, power, measured(raw_claims, some), process / theirs)


def makespan(tasks: int, agents: int) -> Row:
    """Seconds until so many agents have done so many instant tasks."""
    theirs = measured(makespan_of_sketch, tasks, agents, rounds=1)
    process, power = (measured(makespan_of_ours, durability, tasks, agents) for durability in ("process", "power"))
    name = f"seconds, {tasks:,} tasks, {agents} agents"
    return Row(name, theirs, process, power, measured(raw_makespan, tasks, agents), theirs / process)


def main() -> int:
    parser = argparse.ArgumentParser(description="The speed of the Python interface, beside the first design's.")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, and nothing is judged")
    is_quick = parser.parse_args().quick
    part = 10 if is_quick else 1
    print(f"{'':36}{'sketch':>12}{'process':>12}{'power':>12}{'raw':>12}{'times':>8}")
    measures: tuple[Callable[[], Row], ...] = (
        lambda: claims(1_000 // part, 200 // part),
        lambda: claims(10_000 // part, 20 // part),
        lambda: makespan(1_000 // part, 16),
    )
    slow: list[str] = []
    for measure in measures:
        row = measure()
        print(row, flush=True)
        slow += [row.name] if row.times < WANTED else []
    if is_quick:
        print("OK it runs; with so few tasks no figure says anything")
        return 0
    if slow:
        print(f"ERROR less than {WANTED} times as fast as the sketch: {'; '.join(slow)}")
        return 1
    print(f"OK all are more than {WANTED} times as fast as the sketch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
