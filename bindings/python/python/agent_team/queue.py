"""The tasks of a team."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ._native import Team
from .status import Status
from .task import Task


class TaskQueue:
    """The tasks of the team in a folder, or of one in memory. Any process may open it: claims are atomic across all of them, and
    are free again when the process that made them ends.

    >>> queue = TaskQueue()
    >>> first = queue.add_task("Write it")
    >>> queue.add_task("Read it", dependencies=[first.id]).status
    'blocked'
    >>> claimed = queue.claim_task("worker-1")
    >>> queue.complete_task(claimed.id, "written").status
    'completed'
    >>> queue.claim_task("worker-1").description
    'Read it'
    """

    def __init__(self, workspace: str | Path | None = None, *, durability: str = "power") -> None:
        self._team = Team(None if workspace is None else Path(workspace), durability)
        self._mine: dict[str, tuple[str, str]] = {}

    @classmethod
    def _over(cls, team: Team) -> TaskQueue:
        queue = cls.__new__(cls)
        queue._team, queue._mine = team, {}
        return queue

    def add_task(
        self, description: str, dependencies: Iterable[str | Task] = (), *, by: str = "human", **more: Any
    ) -> Task:
        """Adds a task. ``more`` is what a task of ``team.toml`` may say besides: ``id``, ``title``, ``check``, ``priority``,
        ``attempts``, ``review``, ``agent``, ``role``, ``skill``, ``time_limit``, …

        Raises:
            Refused: its id is taken, or a dependency does not exist.
        """
        after = [task.id if isinstance(task, Task) else task for task in dependencies]
        said = {"title": description} if "title" not in more else {"description": description}
        return self.get_task(self._team.add_task(by, {**said, "after": after, **more}))

    def claim_task(
        self,
        agent_id: str,
        task_id: str | None = None,
        *,
        wait: float | None = None,
        lease: float | None = None,
    ) -> Task | None:
        """The task that the agent should do now, or a certain one; ``None`` if there is none. It is this agent's alone until it
        completes, fails or releases it, or this process ends.

        Args:
            wait: seconds to wait for one.
            lease: seconds after which the claim ends unless it is renewed, for one that shall outlive this process.
        """
        wait_ms = None if wait is None else round(wait * 1_000)
        view = self._team.claim(agent_id, task_id, None if lease is None else round(lease * 1_000), wait_ms)
        if view is None:
            return None
        self._mine[view["id"]] = (agent_id, view["token"])
        return Task.of(view)

    def complete_task(self, task_id: str, result: str, agent_id: str | None = None) -> Task:
        """Delivers the result of a task that was claimed by this queue. It is completed if it needs no check, review or merge.

        Raises:
            Refused: the claim is lost; the result is kept as a late one then.
        """
        agent, token = self._holder(task_id, agent_id)
        self._team.complete(task_id, agent, token, result)
        self._mine.pop(task_id, None)
        return self.get_task(task_id)

    def fail_task(self, task_id: str, error: str, agent_id: str | None = None, *, give_up: bool = False) -> Task:
        """Ends an attempt that failed. Others follow as long as there are any, unless ``give_up`` says that none can succeed."""
        agent, token = self._holder(task_id, agent_id)
        self._team.fail(task_id, agent, token, error, give_up)
        self._mine.pop(task_id, None)
        return self.get_task(task_id)

    def release_task(self, task_id: str, reason: str = "", agent_id: str | None = None) -> Task:
        """Gives a task back without a failed attempt."""
        agent, token = self._holder(task_id, agent_id)
        self._team.release(task_id, agent, token, reason)
        self._mine.pop(task_id, None)
        return self.get_task(task_id)

    def renew_task(self, task_id: str, agent_id: str | None = None) -> None:
        """Begins the lease of a claim anew."""
        agent, token = self._holder(task_id, agent_id)
        self._team.renew(task_id, agent, token)

    def retry_task(self, task_id: str) -> Task:
        """Gives a task that failed or was cancelled all its attempts again."""
        self._team.retry("human", task_id)
        return self.get_task(task_id)

    def cancel_task(self, task_id: str, *, dependents: bool = False) -> Task:
        """A task is not wanted any more, with those that wait for it if so said."""
        self._team.cancel("human", task_id, dependents)
        return self.get_task(task_id)

    def get_task(self, task_id: str) -> Task:
        """A task by its id."""
        return Task.of(self._team.task(task_id))

    def list_tasks(self) -> list[Task]:
        """All tasks, in the order in which they were added."""
        return [Task.of(view) for view in self._team.tasks()]

    def get_status(self) -> Status:
        """The team at a glance."""
        return Status(self._team.status())

    def __iter__(self) -> Iterator[Task]:
        return iter(self.list_tasks())

    def __repr__(self) -> str:
        status = self.get_status()
        return f"TaskQueue(completed={status['completed']}, total={status['total']})"

    def _holder(self, task_id: str, agent_id: str | None) -> tuple[str, str]:
        agent, token = self._mine.get(task_id, (agent_id, ""))
        if agent_id is not None and agent_id != agent:
            agent, token = agent_id, ""
        if agent is None:
            raise ValueError(f"{task_id} was not claimed by this queue: say which agent holds it, by agent_id")
        return agent, token
