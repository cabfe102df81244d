// Lays out a graph away from the thread that draws.
import { Graph, layout } from "./vendor/dagre-3.1.3.esm.js";

onmessage = ({ data: { asked, nodes, edges, down } }) => {
  const graph = new Graph();
  graph.setGraph({ rankdir: down ? "TB" : "LR", nodesep: 14, ranksep: 46, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of nodes) graph.setNode(id, { width: 190, height: 44 });
  for (const [from, to] of edges) graph.setEdge(from, to);
  try {
    layout(graph);
  } catch (error) {
    postMessage({ asked, error: String(error) });
    return;
  }
  const { width, height } = graph.graph();
  postMessage({
    asked, width, height,
    nodes: graph.nodes().map((id) => ({ id, x: graph.node(id).x, y: graph.node(id).y })),
    edges: graph.edges().map((edge) => ({ from: edge.v, to: edge.w, points: graph.edge(edge).points })),
  });
};
