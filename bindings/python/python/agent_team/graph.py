"""A picture of tasks and what they wait for."""

from __future__ import annotations

from ._native import Graph


class TaskGraph:
    """The tasks of a team with what they wait for, as they were when it was made: a picture in a notebook, and what
    ``agent-team graph`` prints."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def svg(self) -> str:
        """The picture. It needs nothing from elsewhere."""
        return self._graph.svg()

    def mermaid(self) -> str:
        """The graph in Mermaid's language, which many documents show as a picture."""
        return self._graph.mermaid()

    def dot(self) -> str:
        """The graph in DOT, for Graphviz."""
        return self._graph.dot()

    def _repr_html_(self) -> str:
        return f'<div style="overflow:auto;max-height:40em">{self.svg()}</div>'

    def __len__(self) -> int:
        return len(self._graph)

    def __repr__(self) -> str:
        return f"TaskGraph({len(self)} tasks)"
