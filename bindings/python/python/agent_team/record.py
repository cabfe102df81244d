"""What happened in a team, record by record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._native import Log

#: How long one look for more takes at most, so that whoever is cancelled leaves a thread behind for no longer.
_LOOK_MS = 200


@dataclass(frozen=True)
class Record:
    """One record of the log, with what became of it."""

    seq: int
    id: str | None
    by: str | None
    kind: str
    #: In a few words.
    summary: str
    #: ``effective``, ``void``, ``repeated``, ``unknown`` or ``unreadable``.
    fate: str
    #: Why it took no effect.
    reason: str | None
    task: str | None
    #: When it was written, in seconds since 1970.
    timestamp: float
    #: What stands in the log.
    record: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Record:
        """The record as the log tells it."""
        is_json = told["fate"] != "unreadable"
        return cls(
            seq=told["seq"],
            id=told["id"],
            by=told["by"],
            kind=told["kind"],
            summary=told["summary"],
            fate=told["fate"],
            reason=told["reason"],
            task=told["task"],
            timestamp=told["at_ms"] / 1_000,
            record=json.loads(told["json"]) if is_json else {},
        )


async def records(log: Log, *, follow: bool) -> AsyncIterator[Record]:
    """The records of a log, from the first on; with ``follow`` also those that come."""
    while True:
        for told in await asyncio.to_thread(log.read):
            yield Record.of(told)
        if not await asyncio.to_thread(log.wait, _LOOK_MS if follow else 0) and not follow:
            return
