"""Time, as people say it and as the Rust side counts it."""

from __future__ import annotations

from typing import Final

#: Nobody waits for so long, in seconds: thirty years.
_NEVER: Final = 1e9


def milliseconds(seconds: float | None, name: str) -> int | None:
    """So many milliseconds; ``None`` for no end, which ``math.inf`` is as well."""
    if seconds is None or seconds >= _NEVER:
        return None
    if not seconds >= 0:
        raise ValueError(f"{name}={seconds}: seconds are not below 0")
    return round(seconds * 1_000)
