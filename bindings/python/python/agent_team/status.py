"""How a team stands."""

from __future__ import annotations

import html
from typing import Any

_SHOWN = ("total", "completed", "failed", "running", "ready", "blocked", "cancelled")


class Status(dict[str, Any]):
    """What ``agent-team status --json`` says, and after a run what ``agent-team run --json`` does.

    ``status["completed"]`` of ``status["total"]`` tasks are done; ``status["outcome"]`` says how a run ended.
    """

    @property
    def outcome(self) -> str | None:
        """How the run ended: ``completed``, ``stuck``, ``timed_out``, ``over_budget``, ``interrupted``, …"""
        return self.get("outcome")

    @property
    def summary(self) -> str | None:
        """What the lead says of the whole."""
        return self.get("summary")

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={self[name]}" for name in _SHOWN if name in self)
        outcome = f"outcome={self.outcome!r}, " if self.outcome else ""
        return f"Status({outcome}{counts})"

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{name}</th>" for name in _SHOWN)
        cells = "".join(f"<td>{self.get(name, 0)}</td>" for name in _SHOWN)
        rows = "".join(
            f"<tr><td>{html.escape(agent['id'])}</td><td>{html.escape(agent['role'])}</td>"
            f"<td>{html.escape(', '.join(task for task, _ in agent['holds']))}</td><td>{agent['completed']}</td></tr>"
            for agent in self.get("agents", ())
        )
        members = f"<table><tr><th>agent</th><th>role</th><th>works on</th><th>completed</th></tr>{rows}</table>"
        return f"<table><tr>{heads}</tr><tr>{cells}</tr></table>{members}"
