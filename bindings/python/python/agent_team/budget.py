"""What may be spent, and what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class _Unsaid:
    def __repr__(self) -> str:
        return "as it is"


#: A limit that is left as it is.
UNSAID: Final = _Unsaid()

#: A limit: a number, ``None`` for no end, or what is left as it is.
Limit = float | int | None | _Unsaid


@dataclass(frozen=True)
class Budget:
    """What an account may use, and has used. A limit that is ``None`` has no end."""

    #: ``team``, ``run``, ``agent:NAME`` or ``task:ID``.
    account: str
    usd: float | None
    tokens: int | None
    turns: int | None
    attempts: int | None
    #: Time at work, in seconds, of all agents together.
    time: float | None
    #: How long the run may take by the clock, in seconds.
    elapsed: float | None
    spent_usd: float
    spent_tokens: int
    spent_turns: int
    #: How much of the limit that is nearest is used, in percent.
    used_percent: int | None
    #: All that ``agent-team budget --json`` says of it.
    view: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, account: str, view: Mapping[str, Any]) -> Budget:
        """The budget of a view, as ``agent-team budget --json`` prints one."""
        spent = view["spent"]
        return cls(
            account=account,
            usd=_part(view["limit_micro_usd"], 1e6),
            tokens=view["limit_tokens"],
            turns=view["limit_turns"],
            attempts=view["limit_attempts"],
            time=_part(view["limit_time_ms"], 1e3),
            elapsed=_part(view["limit_elapsed_ms"], 1e3),
            spent_usd=spent["micro_usd"] / 1e6,
            spent_tokens=spent["input_tokens"] + spent["output_tokens"],
            spent_turns=spent.get("calls", 0),
            used_percent=view["used_percent"],
            view=view,
        )


def _part(count: int | None, whole: float) -> float | None:
    return None if count is None else count / whole


def limits(said: Mapping[str, Limit]) -> dict[str, int | None]:
    """The limits that are said, as the log counts them."""
    counted = {"usd": ("micro_usd", 1e6), "time": ("time_ms", 1e3), "elapsed": ("elapsed_ms", 1e3)}
    plain = {"tokens": "tokens", "turns": "calls", "attempts": "attempts"}
    whole: dict[str, int | None] = {}
    for name, limit in said.items():
        if isinstance(limit, _Unsaid):
            continue
        if limit is not None and limit < 0:
            raise ValueError(f"{name}={limit}: a limit is not below 0; None takes it away")
        key, factor = counted[name] if name in counted else (plain[name], 1)
        whole[key] = None if limit is None else round(limit * factor)
    return whole
