// Lays out a graph away from the page, which stays quick meanwhile.
import dagre, { Graph } from "./vendor/dagre-3.1.3.esm.js";

onmessage = ({ data: { number, nodes, edges } }) => {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 46, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of nodes) graph.setNode(id, { width, height });
  for (const [from, to] of edges) graph.setEdge(from, to);
  try {
    dagre.layout(graph);
    const { width, height } = graph.graph();
    const places = nodes.map(({ id }) => { const { x, y } = graph.node(id); return [x, y]; });
    // Arrows leave and come in the middle of a side.
    const side = ({ x, y, width }, by) => [x + (by * width) / 2, y];
    const lines = edges.map(([from, to]) => {
      const between = graph.edge(from, to).points.slice(1, -1).map(({ x, y }) => [x, y]);
      return [side(graph.node(from), 1), ...(between.length > 1 ? between : []), side(graph.node(to), -1)];
    });
    postMessage({ number, width, height, places, lines });
  } catch (error) {
    postMessage({ number, error: String(error) });
  }
};
