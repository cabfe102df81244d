"""A task, as Python sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """A task of a team.

    ``id`` names it, ``description`` is its whole text, and ``result`` what came out of it. ``status`` is one of ``blocked``,
    ``ready``, ``running``, ``verifying``, ``reviewing``, ``merging``, ``completed``, ``failed`` and ``cancelled``.
    """

    id: str
    description: str
    status: str = "ready"
    dependencies: tuple[str, ...] = ()
    result: str | None = None
    title: str = ""
    #: Who works on it now, or has delivered it.
    agent: str | None = None
    attempt: int = 0
    #: The claim under which somebody works on it: whatever the holder does names it.
    token: str | None = None
    #: The command that proves it.
    check: str | None = None
    #: For an agent that is to do it: ``work`` or ``review``.
    stage: str | None = None
    #: For an agent that is to do it: all that it should know, in words.
    prompt: str = field(default="", repr=False)
    #: What the tasks that it depends on gave, by their ids; told to the agent that is to do it.
    results: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    #: All that ``agent-team show --json`` says of it.
    view: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Task:
        """The task of a view, as ``agent-team show --json`` prints one."""
        return cls(
            id=view["id"],
            description=view["description"] or view["title"],
            status=view["status"],
            dependencies=tuple(view["after"]),
            result=view["result"],
            title=view["title"],
            agent=view["agent"] or view["author"],
            attempt=view["attempt"],
            token=view["token"],
            check=view["check"],
            view=view,
        )

    @classmethod
    def told(cls, told: Mapping[str, Any], prompt: str) -> Task:
        """The task that an agent is to do."""
        results = dict(told["results"])
        return cls(
            id=told["id"],
            description=told["description"],
            status="running",
            dependencies=tuple(results),
            title=told["title"],
            attempt=told["attempt"],
            check=told["check"],
            stage=told["stage"],
            prompt=prompt,
            results=results,
        )
