"""A picture of tasks and what they wait for."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass

from .task import Task

#: The most tasks that are drawn: nobody reads more at once.
_MOST = 300

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 210, 46, 56, 14, 8
#: How many letters of a title fit into a box.
_LETTERS = 30

#: Border and ground of a box, by the task's status. Whatever is under way looks as ``running`` does.
_COLOURS = {
    "completed": ("#2f7d4f", "#e3f4e8"),
    "failed": ("#b3373f", "#fbe5e6"),
    "cancelled": ("#8a8f98", "#f1f2f4"),
    "ready": ("#5b6470", "#ffffff"),
    "blocked": ("#8a8f98", "#f1f2f4"),
    "running": ("#2b64b8", "#e4eefb"),
}


@dataclass(frozen=True)
class _Box:
    task: Task
    x: int
    y: int


class TaskGraph:
    """Tasks with what they wait for: in a notebook a picture, as text a line for each.

    >>> print(TaskGraph([Task("t1", "Write it"), Task("t2", "Read it", "blocked", ("t1",))]))
    t1  ready    Write it
    t2  blocked  Read it  <- t1
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks = tuple(tasks)

    def layers(self) -> list[list[Task]]:
        """The tasks by how many others stand before them, one after the other; those that wait for the same stand together."""
        known = {task.id: task for task in self.tasks}
        depths: dict[str, int] = {}
        # A task is added after those that it waits for, unless it was changed since: then it takes another round.
        is_settled = False
        while not is_settled:
            is_settled = True
            for task in self.tasks:
                before = [depths.get(on, 0) for on in task.dependencies if on in known and on != task.id]
                depth = max(before, default=-1) + 1
                if depths.get(task.id) != depth and depth < len(known):
                    depths[task.id], is_settled = depth, False
        layers: list[list[Task]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
        for task in self.tasks:
            layers[depths[task.id]].append(task)
        rows: dict[str, float] = {}
        for layer in layers:
            layer.sort(key=lambda task: _middle([rows[on] for on in task.dependencies if on in rows]))
            rows.update({task.id: row - len(layer) / 2 for row, task in enumerate(layer)})
        return layers

    def svg(self) -> str:
        """The picture, from left to right."""
        shown = TaskGraph(self.tasks[:_MOST])
        boxes: dict[str, _Box] = {}
        layers = shown.layers()
        height = max((len(layer) for layer in layers), default=0) * (_HEIGHT + _DOWN)
        for column, layer in enumerate(layers):
            top = _MARGIN + (height - len(layer) * (_HEIGHT + _DOWN)) // 2
            for row, task in enumerate(layer):
                x, y = _MARGIN + column * (_WIDTH + _ACROSS), top + row * (_HEIGHT + _DOWN)
                boxes[task.id] = _Box(task, x, y)
        lines = [_line(boxes[on], box) for box in boxes.values() for on in box.task.dependencies if on in boxes]
        width = max(len(layers) * (_WIDTH + _ACROSS) - _ACROSS, 0) + 2 * _MARGIN
        size = f'width="{width}" height="{height + 2 * _MARGIN}" viewBox="0 0 {width} {height + 2 * _MARGIN}"'
        drawn = "".join(lines) + "".join(_box(box) for box in boxes.values())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{len(boxes)} tasks" '
            f'font-family="sans-serif" font-size="12">{drawn}</svg>'
        )

    def _repr_html_(self) -> str:
        left = len(self.tasks) - _MOST
        more = f"<p>… and {left} more</p>" if left > 0 else ""
        return f'<div style="overflow-x:auto">{self.svg()}</div>{more}'

    def __str__(self) -> str:
        ids = max((len(task.id) for task in self.tasks), default=0)
        statuses = max((len(task.status) for task in self.tasks), default=0)
        return "\n".join(
            f"{task.id:{ids}}  {task.status:{statuses}}  {task.title or task.description}"
            + (f"  <- {', '.join(task.dependencies)}" if task.dependencies else "")
            for task in self.tasks
        )

    def __repr__(self) -> str:
        return f"TaskGraph({len(self.tasks)} tasks)"


def _middle(rows: list[float]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _line(before: _Box, after: _Box) -> str:
    x1, y1, x2, y2 = before.x + _WIDTH, before.y + _HEIGHT // 2, after.x, after.y + _HEIGHT // 2
    bend = (x1 + x2) // 2
    return f'<path d="M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}" fill="none" stroke="#8a8f98"/>'


def _box(box: _Box) -> str:
    task = box.task
    line, ground = _COLOURS.get(task.status, _COLOURS["running"])
    dashes = ' stroke-dasharray="4 3"' if task.status in ("blocked", "cancelled") else ""
    title = " ".join((task.title or task.description).split())
    short = title if len(title) <= _LETTERS else title[: _LETTERS - 1] + "…"
    by = f" · {task.agent}" if task.agent else ""
    told = f"{task.id}: {title}" + (f"\n{task.result}" if task.result else "")
    return (
        f"<g><title>{html.escape(told)}</title>"
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{ground}" stroke="{line}"{dashes}/>'
        f'<text x="{box.x + 10}" y="{box.y + 19}" fill="#1c2128">{html.escape(short)}</text>'
        f'<text x="{box.x + 10}" y="{box.y + 36}" fill="{line}" font-size="11">'
        f"{html.escape(_cut(task.id))} · {task.status}{html.escape(by)}</text></g>"
    )


def _cut(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"
