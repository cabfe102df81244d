"""Agents that are Python's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from . import _bridge
from ._native import Line, Stopper
from .bus import MessageBus
from .queue import TaskQueue
from .task import Task


class AgentRole(str, Enum):
    """What an agent is for."""

    LEAD = "lead"
    WORKER = "worker"
    REVIEWER = "reviewer"
    SPECIALIST = "specialist"

    def __str__(self) -> str:
        return self.value


#: From a prompt to a text: a plain function, which is called in a thread, or an async one.
LlmFunction = Callable[[str], Any]


class Agent:
    """An agent: a function from a prompt to a text, or a subclass with an ``execute_task`` of its own.

    >>> class SecurityAgent(Agent):
    ...     async def execute_task(self, task: Task) -> str:
    ...         return f"Looked at {task.description!r}: nothing found."
    """

    def __init__(
        self,
        agent_id: str,
        role: AgentRole | str = AgentRole.WORKER,
        llm_fn: LlmFunction | None = None,
        task_queue: TaskQueue | None = None,
        message_bus: MessageBus | None = None,
        *,
        skills: Iterable[str] = (),
        plan: bool = False,
        lead: str | None = None,
    ) -> None:
        self.agent_id = agent_id
        self.role = AgentRole(role)
        self.llm_fn = llm_fn
        self.task_queue = task_queue
        self.message_bus = message_bus
        self.skills = tuple(skills)
        self.plan = plan
        self.lead = lead
        self._stoppers: set[Stopper] = set()
        self._is_stopped = False

    async def execute_task(self, task: Task) -> str:
        """Does a task, and gives its result. ``task.prompt`` holds all that it should know: its role, the task, what the tasks
        gave that it depends on, what went wrong before, messages. For a review (``task.stage == "review"``) the text begins with
        ``APPROVE`` or ``REJECT``.

        An exception fails the attempt; ``GiveUp`` says that no other can succeed, ``Unable`` that this agent cannot work at all.
        """
        if self.llm_fn is None:
            raise NotImplementedError(f"{type(self).__name__} has no llm_fn: override execute_task")
        return await _bridge.text_of(self.llm_fn, task.prompt)

    async def run_loop(self, max_iterations: int | None = None) -> int:
        """Does one task after the other, until no work will come, so many are done, or ``stop`` is called. Gives how many."""
        if self.task_queue is None:
            raise ValueError("an agent that works by itself needs a task_queue")
        if max_iterations is not None and max_iterations < 0:
            raise ValueError(f"max_iterations={max_iterations}: nobody does less than nothing")
        team = self.task_queue._team
        stoppers: list[Stopper] = []

        def start(line: Line, done: Callable[[Any], None]) -> Stopper:
            stopper = team.work(line, done, self, self._member(), max_iterations)
            stoppers.append(stopper)
            self._stoppers.add(stopper)
            return stopper

        if self._is_stopped:
            self._is_stopped = False
            return 0
        try:
            return int(await _bridge.until_done(start))
        finally:
            self._stoppers.difference_update(stoppers)

    def stop(self) -> None:
        """Has ``run_loop`` end after the task under way; if none has begun, the next ends at once. In the run of a team it is
        ``AgentTeam.stop_agent`` that does so."""
        self._is_stopped = not self._stoppers
        for stopper in self._stoppers:
            stopper.gently()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.agent_id!r}, {self.role.value!r})"

    @property
    def _with(self) -> str:
        return f"python:{type(self).__name__}" if type(self) is not Agent else "python"

    def _member(self) -> dict[str, Any]:
        said = {"id": self.agent_id, "role": self.role.value, "skills": list(self.skills)}
        return {**said, "plan": self.plan, "lead": self.lead, "with": self._with}

    async def _execute(self, told: dict[str, Any], prompt: str) -> str:
        answer: object = await self.execute_task(Task.told(told, prompt))
        return _bridge.text(answer, f"execute_task of {self.agent_id}")

    async def _answer(self, told: dict[str, Any], prompt: str) -> str:
        if self.llm_fn is not None:
            return await _bridge.text_of(self.llm_fn, prompt)
        return await self._execute(told, prompt)
