"""A team: its members, its tasks, and running them until nothing is left to do."""

from __future__ import annotations

import asyncio
import inspect
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from . import _bridge
from ._native import Line, Stopper, Team, TeamError
from ._time import milliseconds
from .agent import Agent, AgentRole, LlmFunction
from .budget import UNSAID, Budget, Limit, limits
from .bus import MessageBus
from .graph import TaskGraph
from .note import Note
from .queue import TaskQueue
from .record import Record, records
from .status import Status
from .task import Task

_LOGGER = logging.getLogger("agent_team")
# Where nobody has set up logging, nothing is said.
_LOGGER.addHandler(logging.NullHandler())
_LEVELS = {"activity": logging.DEBUG, "idle": logging.DEBUG, "failed": logging.WARNING, "refused": logging.WARNING}


def _command() -> Path | None:
    """The command that came with this module, wherever programs are looked for; or else the one that is found there."""
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("agent-team-rs") or ():
            if file.name == "agent-team" and (installed := Path(str(file.locate())).resolve()).is_file():
                return installed
    found = shutil.which("agent-team")
    return None if found is None else Path(found)


def _level(event: dict[str, Any]) -> int:
    is_red = event["progress"] == "checked" and not event["passed"]
    went_wrong = is_red or (event["progress"] == "note" and event["text"].startswith(("ERROR", "WARNING")))
    return logging.WARNING if went_wrong else _LEVELS.get(event["progress"], logging.INFO)


def _teller(on_progress: Callable[[dict[str, Any]], None] | None) -> Callable[[dict[str, Any]], None] | None:
    """Who is told what happens: the caller, and the log where it wants to hear that."""
    if inspect.iscoroutinefunction(on_progress):
        raise TypeError("on_progress is called on the loop and has to be a plain function")
    if on_progress is None and not _LOGGER.isEnabledFor(logging.WARNING):
        return None

    def tell(event: dict[str, Any]) -> None:
        said = (str(value) for key, value in event.items() if key != "progress")
        _LOGGER.log(_level(event), "%s %s", event["progress"], " ".join(said))
        if on_progress is not None:
            try:
                on_progress(event)
            except Exception:
                # The run goes on without whoever wanted to hear of it.
                _LOGGER.exception("on_progress")

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
        self._file: Path | None = None
        self._stopper: Stopper | None = None
        self._running: asyncio.Future[Status] | None = None

    @classmethod
    def from_config(cls, file: str | Path = "team.toml", *, durability: str = "power") -> AgentTeam:
        """The team that a ``team.toml`` describes, in its folder, as ``agent-team run`` would have it. What else is added here, and
        what ``run`` is told, goes before it.

        What it asks for beyond the sandbox is not obeyed before the user has said ``agent-team trust``.
        """
        file = Path(file).absolute()
        if not file.is_file():
            raise TeamError(f"{file}: there is no such file")
        team = cls(file.parent, durability=durability)
        team._file = file
        return team

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

        Raises:
            TeamError: the name is taken, or the team is being run: those who work in it are known by then.
        """
        if self._is_running():
            raise TeamError("the team is being run: whoever is added now would work from the next run on")
        if isinstance(llm_fn, str):
            said = {"name": str(agent_id), "role": AgentRole(role).value, "with": llm_fn, "plan": plan}
            self._named.append({**said, "skills": list(skills), **more})
            return None
        if more:
            raise TypeError(f"{', '.join(more)}: for a model or a coding agent only")
        agent = agent_id
        if not isinstance(agent, Agent):
            if llm_fn is None or not callable(llm_fn):
                raise TypeError(f"{agent} needs an llm_fn, a model, or an Agent, and not {llm_fn!r}")
            agent = Agent(agent, role, llm_fn, self.queue, self.bus, skills=skills, plan=plan, lead=lead)
        agent.task_queue = agent.task_queue or self.queue
        agent.message_bus = agent.message_bus or self.bus
        self._team.add_agent(agent, agent._member())
        self.agents[agent.agent_id] = agent
        return agent

    def add_task(self, description: str, dependencies: Iterable[str | Task] = (), **more: Any) -> Task:
        """Adds a task: see :meth:`TaskQueue.add_task`."""
        return self.queue.add_task(description, dependencies, **more)

    def add_tasks(self, tasks: Iterable[dict[str, Any]]) -> list[Task]:
        """Adds tasks, all of them or none: see :meth:`TaskQueue.add_tasks`."""
        return self.queue.add_tasks(tasks)

    def get_task(self, task_id: str) -> Task:
        """A task by its id."""
        return self.queue.get_task(task_id)

    def drop_agent(self, agent_id: str) -> None:
        """Takes an agent out of the team, also in the middle of a run. What it holds goes back to the queue."""
        self._team.drop_agent(agent_id)

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

    def lift_limit(self, model: str) -> bool:
        """Lets the calls to a model go on at once that its provider has limited. Says whether they were held up."""
        return self._team.lift_limit(model)

    def set_budget(
        self,
        account: str = "team",
        *,
        usd: Limit = UNSAID,
        tokens: Limit = UNSAID,
        turns: Limit = UNSAID,
        attempts: Limit = UNSAID,
        time: Limit = UNSAID,
        elapsed: Limit = UNSAID,
    ) -> Budget:
        """Limits what an account may use. What is not said stays as it is, and ``None`` takes a limit away. A call to a model that
        could exceed any limit is refused before it is made; raised in the middle of a run, that goes on.

        >>> AgentTeam().set_budget(usd=5, tokens=None)
        Budget(account='team', usd=5.0, tokens=None, turns=None, attempts=None, time=None, elapsed=None, spent_usd=0.0, spent_tokens=0, spent_turns=0, used_percent=0)

        Args:
            account: ``team``, ``run`` (the one under way; each begins anew), ``agent:NAME`` or ``task:ID``.
            usd: US dollars.
            tokens: tokens, read and written.
            turns: calls to models.
            attempts: attempts at tasks.
            time: seconds at work, of all agents together.
            elapsed: for a run, seconds by the clock.
        """
        said = {"usd": usd, "tokens": tokens, "turns": turns, "attempts": attempts, "time": time, "elapsed": elapsed}
        self._team.set_budget(account, limits(said))
        return next(budget for budget in self.budgets() if budget.account == account)

    def budgets(self) -> list[Budget]:
        """What each account may use and has used; the team's first."""
        return [Budget.of(account, view) for account, view in self._team.budgets()]

    def add_note(self, text: str, labels: Iterable[str] = (), *, task: str | None = None, by: str = "human") -> None:
        """Notes what agents shall know that take a task with one of these labels, or any task if there are none."""
        self._team.add_note(by, text, list(labels), task)

    def notes(self, labels: Iterable[str] | None = None) -> list[Note]:
        """What was noted, oldest first; for tasks with these labels, if some are named."""
        return [Note.of(view) for view in self._team.notes(None if labels is None else list(labels))]

    def records(self, *, follow: bool = False) -> AsyncIterator[Record]:
        """All that happened, from the first record on; with ``follow`` also what comes, without end. For a team in a folder."""
        return records(self._team.records(), follow=follow)

    def get_status(self) -> Status:
        """The team at a glance."""
        return self.queue.get_status()

    def graph(self) -> TaskGraph:
        """The tasks with what they wait for, as a picture in a notebook."""
        return self.queue.graph()

    async def run(
        self,
        timeout: float | None = None,
        *,
        grace: float = 20,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        yes: bool = False,
        **config: Any,
    ) -> Status:
        """Runs the team until all is done, nothing can go on, time is over, or somebody stops it. Running it again goes on
        where it ended. Whoever cancels this ends the run at once; what agents hold is given back.

        Args:
            timeout: seconds after which nothing more is begun.
            grace: seconds that turns under way have after that: what a model says is paid for whether or not it is waited for.
                With 0 they are dropped when the time is over.
            on_progress: called on the loop with what happens, as it happens. It is logged as well, to ``agent_team``.
            yes: models that cost money may be called without a budget.
            config: what ``team.toml`` may say: ``goal`` (a lead that is a function answers with its tasks as JSON, as its prompt
                says), ``gate``, ``check``, ``stuck_after="15m"``, ``budget={"attempts": 100}`` (dollars, tokens and turns are those
                of models and coding agents: of a function nobody knows what it calls), …

        Raises:
            TeamError: another process runs this team, the gate does not hold on the untouched target, money would be spent without
                a limit, or something is broken. Its ``hint`` says what to do.
        """
        if self._is_running():
            raise TeamError("this team is being run already, by this process")
        if not self.agents and not self._named and self._file is None:
            raise TeamError("the team has no agents: add some by add_agent")
        tell = _teller(on_progress)
        relay = _command()
        hears_all = on_progress is not None or _LOGGER.isEnabledFor(logging.INFO)
        limits_ms = (milliseconds(timeout, "timeout"), milliseconds(grace, "grace"))
        said = {name: value for name, value in config.items() if value is not None}
        whole = {**said, **({"agent": self._named} if self._named else {})}
        wanted = {"said": whole, "file": None if self._file is None else str(self._file), "yes": yes}

        def start(line: Line, done: Callable[[Any], None]) -> Stopper:
            self._stopper = self._team.start(line, (done, tell, hears_all), wanted, limits_ms, relay)
            return self._stopper

        self._running = asyncio.get_running_loop().create_future()
        try:
            return Status(await _bridge.until_done(start))
        finally:
            self._running.cancel()

    def run_sync(self, timeout: float | None = None, **config: Any) -> Status:
        """The same where no event loop runs."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run(timeout, **config))
        raise RuntimeError("an event loop is running here, as in a notebook: await team.run(…) instead")

    def stop(self) -> None:
        """Has a run end: agents finish their turns and give back what they hold."""
        if self._stopper is not None:
            self._stopper.gently()

    def close(self) -> None:
        """Ends a run under way at once, and gives back what was claimed by ``queue``. The team can be used on."""
        if self._stopper is not None:
            self._stopper.at_once()
        self.queue.close()

    def __enter__(self) -> AgentTeam:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AgentTeam:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends a run under way, and waits until it has ended."""
        self.close()
        if self._running is not None and self._is_running():
            await asyncio.wait([self._running])

    def _is_running(self) -> bool:
        return self._running is not None and not self._running.done()

    def __repr__(self) -> str:
        try:
            status = self.get_status()
        except TeamError as error:
            return f"AgentTeam({error})"
        return f"AgentTeam(agents={sorted(self.agents)}, completed={status['completed']}, total={status['total']})"

    def _repr_html_(self) -> str:
        return self.graph()._repr_html_() + self.get_status()._repr_html_()
