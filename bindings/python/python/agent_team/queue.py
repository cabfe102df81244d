"""The tasks of a team."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from . import _bridge
from ._native import Refused, Team, TeamError
from ._time import milliseconds
from .graph import TaskGraph
from .note import Reservation
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

    def __reduce__(self) -> tuple[Any, ...]:
        folder, durability = self._team.place()
        if folder is None:
            raise TypeError("a team in memory cannot be handed to another process")
        return _opened, (folder, durability)

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
        (added,) = self._team.add_tasks(by, [_written(description, dependencies, more)])
        return self.get_task(added)

    def add_tasks(self, tasks: Iterable[Mapping[str, Any]], *, by: str = "human") -> list[Task]:
        """Adds tasks, all of them or none: each a mapping of what :meth:`add_task` takes. They may depend on each other by their
        ``id``.

        >>> queue = TaskQueue()
        >>> [task.status for task in queue.add_tasks([
        ...     {"id": "write", "description": "Write it"},
        ...     {"description": "Read it", "dependencies": ["write"]},
        ... ])]
        ['ready', 'blocked']
        """
        return [self.get_task(added) for added in self._team.add_tasks(by, [_mapped(task) for task in tasks])]

    def replace_task(self, task_id: str, tasks: Iterable[Mapping[str, Any]], *, by: str = "human") -> list[Task]:
        """Puts tasks into the place of one: whatever waits for it waits for all of them."""
        return [self.get_task(added) for added in self._team.replace(by, task_id, [_mapped(task) for task in tasks])]

    def edit_task(
        self,
        task_id: str,
        *,
        title: str | None = None,
        description: str | None = None,
        priority: int | None = None,
        dependencies: Iterable[str | Task] | None = None,
        allow_protected: bool | None = None,
        by: str = "human",
    ) -> Task:
        """Changes a task's words, its priority, or what it waits for. What is not said stays as it is."""
        after = None if dependencies is None else _ids(dependencies)
        said = {"title": title, "description": description, "priority": priority, "after": after}
        self._team.edit(by, task_id, {**said, "allow_protected": allow_protected})
        return self.get_task(task_id)

    def reassign_task(self, task_id: str, agent_id: str | None, *, by: str = "human") -> Task:
        """Gives a task to an agent, or with ``None`` to anyone whom it fits. Whoever works on it loses it."""
        self._team.reassign(by, task_id, agent_id)
        return self.get_task(task_id)

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
        return self._claimed(
            agent_id, self._team.claim(agent_id, task_id, milliseconds(lease, "lease"), milliseconds(wait, "wait"))
        )

    async def claim_when_ready(
        self,
        agent_id: str,
        task_id: str | None = None,
        *,
        timeout: float | None = None,
        lease: float | None = None,
    ) -> Task | None:
        """The same for who waits on an event loop: waits until there is a task; ``None`` if none will come, or time is over.
        Who cancels the wait holds nothing by it."""
        lease_ms, wait_ms = milliseconds(lease, "lease"), milliseconds(timeout, "timeout")
        view = await _bridge.until_done(
            lambda line, done: self._team.claim_when_ready(line, done, agent_id, task_id, lease_ms, wait_ms),
            undo=lambda view: self._team.release(view["id"], agent_id, view["token"], "the wait was cancelled"),
        )
        return self._claimed(agent_id, view)

    def _claimed(self, agent_id: str, view: dict[str, Any] | None) -> Task | None:
        if view is None:
            return None
        self._mine[view["id"]] = (agent_id, view["token"])
        return Task.of(view)

    def complete_task(self, task_id: str, result: str, agent_id: str | None = None, *, sandbox: bool = True) -> Task:
        """Delivers the result of a task that was claimed by this queue. If it has a check, that is run now, in the team's folder: a
        red one sends the task back, with what it printed. The task that is given says where it stands.

        Args:
            task_id: the task.
            result: what came out.
            agent_id: who did it, if that cannot be known by the claim.
            sandbox: whether the check runs in a sandbox. Without one it may do whatever this process may.

        Raises:
            Refused: the claim is lost; the result is kept as a late one then.
            TeamError: the check needs a sandbox, and there is none. Nothing is delivered.
        """
        agent, token = self._holder(task_id, agent_id)
        task = Task.of(self._team.complete(task_id, agent, token, result, sandbox))
        self._mine.pop(task_id, None)
        return self.verify_task(task_id, agent, sandbox=sandbox) if task.status == "verifying" else task

    def verify_task(self, task_id: str, agent_id: str = "human", *, sandbox: bool = True) -> Task:
        """Runs the check of a task whose result waits for it, unless somebody else does. :meth:`complete_task` does so by itself;
        this is for a check that was interrupted."""
        self._team.verify(agent_id, task_id, sandbox)
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

    def reserve_files(self, task_id: str, *paths: str, agent_id: str | None = None) -> None:
        """Says which files (or folders, with a slash at the end) the holder of a task works on: advice for others, that ends with
        the claim.

        Raises:
            Refused: somebody else has reserved one of them, who is told that it is wanted.
        """
        agent, token = self._holder(task_id, agent_id)
        self._team.reserve_files(task_id, agent, token, list(paths), False)

    def release_files(self, task_id: str, *paths: str, agent_id: str | None = None) -> None:
        """Says that files are free again."""
        agent, token = self._holder(task_id, agent_id)
        self._team.reserve_files(task_id, agent, token, list(paths), True)

    def reservations(self) -> list[Reservation]:
        """Who works on which files."""
        return [Reservation(**view) for view in self._team.reservations()]

    def submit_plan(self, task_id: str, text: str, agent_id: str | None = None) -> None:
        """Submits a plan for a task that was claimed by this queue: it waits until somebody approves it."""
        agent, token = self._holder(task_id, agent_id)
        self._team.submit_plan(task_id, agent, token, text)

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

    def graph(self) -> TaskGraph:
        """The tasks with what they wait for, as a picture in a notebook."""
        return TaskGraph(self._team.graph())

    def close(self) -> None:
        """Gives back what was claimed by this queue and is not finished. It can be used on."""
        # What a fork has of it is a copy, and the claims are its parent's.
        held = list(self._mine.items()) if self._team.is_ours() else []
        for task_id, (agent, token) in held:
            # It has ended otherwise.
            with suppress(Refused):
                self._team.release(task_id, agent, token, "the queue was closed")
            self._mine.pop(task_id, None)

    def __enter__(self) -> TaskQueue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Task]:
        return iter(self.list_tasks())

    def __repr__(self) -> str:
        try:
            status = self.get_status()
        except TeamError as error:
            return f"TaskQueue({error})"
        return f"TaskQueue(completed={status['completed']}, total={status['total']})"

    def _holder(self, task_id: str, agent_id: str | None) -> tuple[str, str]:
        agent, token = self._mine.get(task_id, (agent_id, ""))
        if agent_id is not None and agent_id != agent:
            agent, token = agent_id, ""
        if agent is None:
            raise ValueError(f"{task_id} was not claimed by this queue: say which agent holds it, by agent_id")
        return agent, token

    def _repr_html_(self) -> str:
        return self.graph()._repr_html_()


def _opened(folder: str, durability: str) -> TaskQueue:
    """A queue that another process has handed over: opened anew, with no claims."""
    return TaskQueue(folder, durability=durability)


def _ids(tasks: Iterable[str | Task]) -> list[str]:
    if isinstance(tasks, str):
        raise TypeError(f"dependencies are several: [{tasks!r}], not {tasks!r}")
    return [task.id if isinstance(task, Task) else task for task in tasks]


def _written(description: str, dependencies: Iterable[str | Task], more: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(cast(object, description), str):
        raise TypeError(f"the description of a task is a text, and not {description!r}")
    after = _ids(dependencies)
    if "title" in more:
        return {"description": description, "after": after, **more}
    lines = [line for line in description.split("\n") if line.strip()]
    if not lines or lines[0].replace("\t", " ").isprintable():
        # The title is made of it where it is longer than one may be.
        return {"title": description, "after": after, **more}
    # What no title may hold stays in the description.
    shown = "".join(letter if letter.isprintable() else " " for letter in lines[0])
    return {"title": " ".join(shown.split())[:80] or "…", "description": description, "after": after, **more}


def _mapped(task: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(cast(object, task), Mapping):
        raise TypeError(f"a task is a mapping with a description, and not {task!r}")
    more = {name: value for name, value in task.items() if name not in ("description", "dependencies")}
    return _written(task["description"], task.get("dependencies", ()), more)
