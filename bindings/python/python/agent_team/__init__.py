"""Many LLM agents at work in parallel on shared tasks and one code base, without losing work, doing it twice, or running away
with money.

>>> import asyncio
>>> team = AgentTeam()
>>> worker = team.add_agent("worker-1", AgentRole.WORKER, lambda prompt: "done")
>>> task = team.add_task("Research the problem space")
>>> asyncio.run(team.run(timeout=60))["completed"]
1
"""

from ._bridge import GiveUp, Unable
from ._native import Refused, TeamError, __version__
from .agent import Agent, AgentRole
from .budget import Budget
from .bus import AgentMessage, MessageBus
from .graph import TaskGraph
from .note import Note, Reservation
from .queue import TaskQueue
from .record import Record
from .status import Status
from .task import Task
from .team import AgentTeam

__all__ = [
    "Agent",
    "AgentMessage",
    "AgentRole",
    "AgentTeam",
    "Budget",
    "GiveUp",
    "MessageBus",
    "Note",
    "Record",
    "Refused",
    "Reservation",
    "Status",
    "Task",
    "TaskGraph",
    "TaskQueue",
    "TeamError",
    "Unable",
    "__version__",
]
