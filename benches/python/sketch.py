"""The design that this project began with, in plain Python: one JSON file for each task, a lock file made with ``O_EXCL`` for each
claim, agents that poll ten times a second. The baseline of ``bench.py``.

It is written as it was described, and not slower than it has to be: a task's file is replaced by one rename, a claim stops at the
first task that it gets, nothing is synced to the disk. It keeps its fault, too: whoever finishes a task removes its lock, so an agent
of another process that read the file before takes the task a second time.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.1


class TaskQueue:
    """Tasks as files in a folder."""

    def __init__(self, workspace: Path) -> None:
        self.tasks, self.locks = workspace / "tasks", workspace / "locks"
        self.tasks.mkdir(parents=True, exist_ok=True)
        self.locks.mkdir(exist_ok=True)
        self._added = 0

    def add_task(self, description: str, dependencies: list[str] | None = None) -> str:
        self._added += 1
        task_id = f"t{self._added:06}"
        self._save(
            {
                "id": task_id,
                "description": description,
                "status": "pending",
                "dependencies": dependencies or [],
                "agent": None,
                "result": None,
            }
        )
        return task_id

    def claim_task(self, agent_id: str) -> dict[str, Any] | None:
        tasks = self.list_tasks()
        done = {task["id"] for task in tasks if task["status"] == "completed"}
        for task in tasks:
            if task["status"] != "pending" or not done.issuperset(task["dependencies"]):
                continue
            try:
                lock = os.open(self._lock(task["id"]), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                continue
            os.write(lock, agent_id.encode())
            os.close(lock)
            task.update(status="in_progress", agent=agent_id)
            self._save(task)
            return task
        return None

    def complete_task(self, task: dict[str, Any], result: str) -> None:
        task.update(status="completed", result=result)
        self._save(task)
        self._lock(task["id"]).unlink(missing_ok=True)

    def list_tasks(self) -> list[dict[str, Any]]:
        names = sorted(name for name in os.listdir(self.tasks) if name.endswith(".json"))
        return [json.loads((self.tasks / name).read_bytes()) for name in names]

    def get_status(self) -> dict[str, int]:
        counts = {"total": 0, "pending": 0, "in_progress": 0, "completed": 0}
        for task in self.list_tasks():
            counts["total"] += 1
            counts[task["status"]] += 1
        return counts

    def _lock(self, task_id: str) -> Path:
        return self.locks / f"{task_id}.lock"

    def _save(self, task: dict[str, Any]) -> None:
        path = self.tasks / f"{task['id']}.json"
        new = path.with_suffix(f".{os.getpid()}.tmp")
        new.write_text(json.dumps(task))
        new.replace(path)


class Agent:
    """Claims and does tasks until it is stopped."""

    def __init__(self, agent_id: str, llm_fn: Callable[[str], Awaitable[str]], queue: TaskQueue) -> None:
        self.agent_id, self.llm_fn, self.queue = agent_id, llm_fn, queue
        self.is_running = True

    async def run_loop(self) -> None:
        while self.is_running:
            task = self.queue.claim_task(self.agent_id)
            if task is None:
                await asyncio.sleep(POLL_SECONDS)
                continue
            self.queue.complete_task(task, await self.llm_fn(task["description"]))
            await asyncio.sleep(0)


class AgentTeam:
    """Agents of one process at the tasks of a folder."""

    def __init__(self, workspace: Path) -> None:
        self.queue = TaskQueue(workspace)
        self.agents: list[Agent] = []

    def add_agent(self, agent_id: str, llm_fn: Callable[[str], Awaitable[str]]) -> None:
        self.agents.append(Agent(agent_id, llm_fn, self.queue))

    async def run(self, timeout: float) -> dict[str, int]:
        loops = [asyncio.create_task(agent.run_loop()) for agent in self.agents]
        over = time.monotonic() + timeout
        while time.monotonic() < over:
            status = self.queue.get_status()
            if status["completed"] == status["total"]:
                break
            await asyncio.sleep(POLL_SECONDS)
        for agent in self.agents:
            agent.is_running = False
        await asyncio.gather(*loops)
        return self.queue.get_status()
