"""What agents shall know, and who works on which files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Note:
    """What agents shall know that take a task with one of its labels, or any task if it has none."""

    text: str
    agent: str
    labels: tuple[str, ...]
    #: The task at which it came up.
    task: str | None
    #: When it was noted, in seconds since 1970.
    timestamp: float

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Note:
        """The note of a view."""
        return cls(view["text"], view["agent"], tuple(view["labels"]), view["task"], view["at_ms"] / 1_000)


@dataclass(frozen=True)
class Reservation:
    """A file, or a folder with all that is below, on which somebody works."""

    path: str
    agent: str
    #: The claim with which it ends.
    token: str
