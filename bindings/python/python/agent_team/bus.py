"""The messages of a team."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _bridge
from ._native import Team


@dataclass(frozen=True)
class AgentMessage:
    """What one agent says to another, or to everyone (``to_agent=None``)."""

    from_agent: str
    to_agent: str | None
    content: str
    #: When it was sent, in seconds since 1970.
    timestamp: float = field(default_factory=time.time)
    #: Its place in the order of all that happened: the exact cursor for the next ``receive``.
    seq: int = 0
    id: str = ""
    #: The task that it is about.
    task: str | None = None
    urgent: bool = False
    #: Whether the sender waits for an answer.
    asks: bool = False
    #: The message that it answers.
    reply_to: str | None = None


class MessageBus:
    """The messages of the team in a folder, or of one in memory.

    >>> bus = MessageBus()
    >>> bus.send("lead-1", "worker-1", "Begin.").content
    'Begin.'
    >>> [message.from_agent for message in bus.receive("worker-1")]
    ['lead-1']
    """

    def __init__(self, workspace: str | Path | None = None, *, durability: str = "power") -> None:
        self._team = Team(None if workspace is None else Path(workspace), durability)

    def __reduce__(self) -> tuple[Any, ...]:
        folder, durability = self._team.place()
        if folder is None:
            raise TypeError("a team in memory cannot be handed to another process")
        return _opened, (folder, durability)

    def __repr__(self) -> str:
        folder, _ = self._team.place()
        return f"MessageBus({'' if folder is None else repr(str(folder))})"

    @classmethod
    def _over(cls, team: Team) -> MessageBus:
        bus = cls.__new__(cls)
        bus._team = team
        return bus

    def send(
        self,
        from_agent: str | AgentMessage,
        to_agent: str | None = None,
        content: str | None = None,
        *,
        task: str | None = None,
        urgent: bool = False,
        asks: bool = False,
        reply_to: str | None = None,
    ) -> AgentMessage:
        """Sends a message: to an agent, to all of a role (``role:worker``), into the thread of a task (``task:ID``), or to
        everyone (``None``). An ``AgentMessage`` may be given as it is."""
        if isinstance(from_agent, AgentMessage):
            message = from_agent
        else:
            if content is None:
                raise TypeError("send() needs a content, or an AgentMessage")
            message = AgentMessage(
                from_agent, to_agent, content, task=task, urgent=urgent, asks=asks, reply_to=reply_to
            )
        sent = self._team.send(
            {
                "from": message.from_agent,
                "to": message.to_agent,
                "text": message.content,
                "task": message.task,
                "urgent": message.urgent,
                "asks": message.asks,
                "reply_to": message.reply_to,
            }
        )
        return AgentMessage(
            message.from_agent,
            message.to_agent,
            message.content,
            message.timestamp,
            message.seq,
            sent,
            message.task,
            message.urgent,
            message.asks,
            message.reply_to,
        )

    def receive(self, agent_id: str, since: float = 0, *, after_seq: int = 0) -> list[AgentMessage]:
        """What came for an agent, oldest first, whether or not it was received before. They count as read.

        Args:
            since: seconds since 1970; what was sent later is given. Clocks are what they are: ``after_seq`` is exact.
            after_seq: the ``seq`` of the last message that is known.
        """
        messages = (_message(view) for view in self._team.receive(agent_id, after_seq))
        return [message for message in messages if message.timestamp > since]

    def inbox(self, agent_id: str) -> list[AgentMessage]:
        """What an agent has not read, oldest first. They count as read."""
        return [_message(view) for view in self._team.inbox(agent_id)]

    async def stream(self, agent_id: str, *, after_seq: int = 0) -> AsyncIterator[AgentMessage]:
        """What comes for an agent, as it comes, without end. Each message counts as read when it is given out."""
        while True:
            following = functools.partial(self._team.next_message, agent=agent_id, since=after_seq)
            message = _message(await _bridge.until_done(following))
            after_seq = message.seq
            yield message

    async def ask(
        self, from_agent: str, to_agent: str | None, content: str, *, task: str | None = None
    ) -> AgentMessage | None:
        """Asks something, and waits for the answer; ``None`` if whom it is for leaves without one.

        The question may be for a person (``"human"``), who answers by ``agent-team answer`` or :meth:`answer`.
        """
        return await self.answered(self.send(from_agent, to_agent, content, task=task, asks=True))

    def questions(self, agent_id: str | None = None) -> list[AgentMessage]:
        """The questions that nobody has answered, oldest first: those that an agent may answer, if one is named."""
        return [_message(view) for view in self._team.questions(agent_id)]

    def answer(self, question: str | AgentMessage, content: str, *, by: str = "human") -> str:
        """Answers a question, by its id. The first answer counts. Gives the id of the answer.

        Raises:
            TeamError: it was answered, or nobody waits for it any more.
        """
        question_id = question.id if isinstance(question, AgentMessage) else question
        # As much of it as tells it apart is enough.
        begun = [known.id for known in self.questions() if known.id.startswith(question_id)]
        return self._team.answer(by, begun[0] if len(begun) == 1 else question_id, content)

    async def answered(self, question: str | AgentMessage) -> AgentMessage | None:
        """Waits for the answer to a question; ``None`` if whom it was for left without one."""
        question_id = question.id if isinstance(question, AgentMessage) else question
        view = await _bridge.until_done(lambda line, done: self._team.answered(line, done, question_id))
        return None if view is None else _message(view)


def _opened(folder: str, durability: str) -> MessageBus:
    """A bus that another process has handed over: opened anew."""
    return MessageBus(folder, durability=durability)


def _message(view: Mapping[str, Any]) -> AgentMessage:
    return AgentMessage(
        from_agent=view["from"],
        to_agent=None if view["to"] == "everyone" else view["to"],
        content=view["text"],
        timestamp=view["at_ms"] / 1_000,
        seq=view["seq"],
        id=view["id"],
        task=view["task"],
        urgent=view["urgent"],
        asks=view["asks"],
        reply_to=view["reply_to"],
    )
