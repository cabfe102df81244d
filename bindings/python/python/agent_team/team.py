"""A team: its members, its tasks, and running them until nothing is left to do."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from . import _bridge
from ._native import Stopper, Team, TeamError
from .agent import Agent, AgentRole, LlmFunction
from .bus import MessageBus
from .queue import TaskQueue
from .record import Record, records
from .status import Status
from .task import Task


_LOGGER = logging.getLogger("agent_team")
_LEVELS = {"activity": logging.DEBUG, "idle": logging.DEBUG, "failed": logging.WARNING, "refused": logging.WARNING}


def _teller(on_progress: Callable[[dict[str, Any]], None] | None) -> Callable[[dict[str, Any]], None] | None:
    """Who is told what happens: the caller, and the log where it wants to hear that."""
    if on_progress is None and not _LOGGER.isEnabledFor(logging.INFO):
        return None

    def tell(event: dict[str, Any]) -> None:
        said = {key: value for key, value in event.items() if key != "progress"}
        kind = event["progress"]
        _LOGGER.log(_LEVELS.get(kind, logging.INFO), "%s %s", kind, " ".join(map(str, said.values())))
        if on_progress is not None:
            on_progress(event)

    return tell


class AgentTeam:
    """A team of agents that work on shared tasks: in a folder, where other processes and the command ``agent-team`` can take part,
    or in memory.

    >>> team = AgentTeam()
    >>> _ = team.add_agent("worker-1", AgentRole.WORKER, lambda prompt: f"{len(prompt) > 0}")
    >>> first = team.add_task("Research the problem space")
    >>> _ = team.add_task("Compare and synthesize", dependencies=[first.id])
    >>> status = asyncio.run(team.run(timeout=60))
    >>> status["completed"], status["total"]
    (2, 2)
    """

    def __init__(self, workspace: str | Path | None = None, *, durability: str = "power") -> None:
        self._team = Team(None if workspace is None else Path(workspace), durability)
        self.queue = TaskQueue._over(self._team)
        self.bus = MessageBus._over(self._team)
        self.agents: dict[str, Agent] = {}
        self._named: list[dict[str, Any]] = []
        self._stopper: Stopper | None = None

    def add_agent(
        self,
        agent_id: str | Agent,
        role: AgentRole | str = AgentRole.WORKER,
        llm_fn: LlmFunction | str | None = None,
        *,
        skills: Iterable[str] = (),
        plan: bool = False,
        lead: str | None = None,
        **more: Any,
    ) -> Agent | None:
        """Adds an agent that works when the team is run.

        Args:
            agent_id: its name; or an ``Agent``, which has all that follows.
            llm_fn: a function from prompt to text, plain or async; or what the command line takes by ``--with``: a model
                (``"anthropic:claude-sonnet-5-5"``) or a coding agent (``"claude"``, ``"codex"``, ``"acp:COMMAND"``).
            skills: what it can do that others cannot.
            plan: each of its plans must be approved before it may change anything.
            lead: the lead to whose team it belongs.
            more: for a model or a coding agent, what an ``[[agent]]`` of ``team.toml`` may say besides: ``model``, ``prompt``,
                ``context_tokens``, ``hosts``, ``budget``, …
        """
        if isinstance(llm_fn, str):
            said = {"name": str(agent_id), "role": AgentRole(role).value, "with": llm_fn, "plan": plan}
            self._named.append({**said, "skills": list(skills), **more})
            return None
        if more:
            raise TypeError(f"{', '.join(more)}: for a model or a coding agent only")
        agent = agent_id
        if not isinstance(agent, Agent):
            if llm_fn is None:
                raise TypeError(f"{agent} needs an llm_fn, a model, or an Agent")
            agent = Agent(agent, role, llm_fn, self.queue, self.bus, skills=skills, plan=plan, lead=lead)
        agent.task_queue = agent.task_queue or self.queue
        agent.message_bus = agent.message_bus or self.bus
        self._team.add_agent(agent, agent._member())
        self.agents[agent.agent_id] = agent
        return agent

    def add_task(self, description: str, dependencies: Iterable[str | Task] = (), **more: Any) -> Task:
        """Adds a task: see :meth:`TaskQueue.add_task`."""
        return self.queue.add_task(description, dependencies, **more)

    def plans(self) -> dict[str, str]:
        """The plans that wait to be judged, by their tasks."""
        return {task: text for task, _, text in self._team.open_plans()}

    def approve_plan(self, task_id: str, words: str = "", *, by: str = "human") -> None:
        """Approves the plan that waits at a task: its agent goes on."""
        self._team.judge_plan(by, task_id, True, words)

    def reject_plan(self, task_id: str, words: str, *, by: str = "human") -> None:
        """Wants another plan, and says why."""
        self._team.judge_plan(by, task_id, False, words)

    def approve(self, task_id: str, words: str = "", *, by: str = "human") -> None:
        """Approves the result that waits for a review."""
        self._team.review(by, task_id, True, words)

    def reject(self, task_id: str, words: str, *, by: str = "human") -> None:
        """Sends a result back to its author, who is told why."""
        self._team.review(by, task_id, False, words)

    def pause(self, agent_id: str | None = None, reason: str = "") -> bool:
        """Holds an agent up, or the whole team. Says whether it was not held up before."""
        return self._team.pause(agent_id, reason)

    def resume(self, agent_id: str | None = None) -> bool:
        """Lets an agent go on, or the whole team."""
        return self._team.resume(agent_id)

    def stop_agent(self, agent_id: str, reason: str = "") -> bool:
        """Cuts an agent off from what it does; others may take its task, and its work is kept."""
        return self._team.stop_agent(agent_id, reason)

    def records(self, *, follow: bool = False) -> AsyncIterator[Record]:
        """All that happened, from the first record on; with ``follow`` also what comes, without end. For a team in a folder."""
        return records(self._team.records(), follow=follow)

    def get_status(self) -> Status:
        """The team at a glance."""
        return self.queue.get_status()

    async def run(
        self,
        timeout: float | None = None,
        *,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        **config: Any,
    ) -> Status:
        """Runs the team until all is done, nothing can go on, time is over, or somebody stops it. Running it again goes on
        where it ended. Whoever cancels this ends the run at once; what agents hold is given back.

        Args:
            timeout: seconds.
            on_progress: called on the loop with what happens, as it happens. It is logged as well, to ``agent_team``.
            config: what ``team.toml`` may say: ``goal``, ``gate``, ``check``, ``budget={"tokens": 100_000}``,
                ``stuck_after="15m"``, …

        Raises:
            TeamError: another process runs this team, the gate does not hold on the untouched target, or something is broken.
        """
        if not self.agents and not self._named:
            raise TeamError("the team has no agents: add some by add_agent")
        relay = shutil.which("agent-team")
        tell = _teller(on_progress)
        timeout_ms = None if timeout is None else round(timeout * 1_000)
        whole = {**config, **({"agent": self._named} if self._named else {})}

        def start(on: tuple[Any, Callable[..., None]], done: Callable[[Any], None]) -> Stopper:
            path = None if relay is None else Path(relay)
            self._stopper = self._team.start(on, (done, tell), whole, timeout_ms, path)
            return self._stopper

        return Status(await _bridge.until_done(start))

    def run_sync(self, timeout: float | None = None, **config: Any) -> Status:
        """The same where no event loop runs."""
        return asyncio.run(self.run(timeout, **config))

    def stop(self) -> None:
        """Has a run end: agents finish their turns and give back what they hold."""
        if self._stopper is not None:
            self._stopper.gently()

    def __repr__(self) -> str:
        status = self.get_status()
        return f"AgentTeam(agents={sorted(self.agents)}, completed={status['completed']}, total={status['total']})"
