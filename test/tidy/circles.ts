/** Circles in a directed graph, and in the folders of a graph of files. */

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

export function graphOf(arrows: Iterable<readonly [from: string, to: string]>): Graph {
  const graph = new Map<string, Set<string>>();
  for (const [from, to] of arrows) {
    if (from === to) continue;
    graph.set(from, (graph.get(from) ?? new Set()).add(to));
  }
  return graph;
}

/** Tarjan's algorithm: the sets of more than one node in which each reaches each. */
export function circlesOf(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): number => {
    order.set(node, order.size);
    let low = order.size - 1;
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) low = Math.min(low, order.get(next) as number);
    }
    lowest.set(node, low);
    if (low === order.get(node)) {
      const circle = stack.splice(stack.indexOf(node));
      if (circle.length > 1) circles.push(circle.sort());
    }
    return low;
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}

/**
 * The graph of what stands in one folder, for each folder: an arrow inside of it leads from one
 * entry to another. A subfolder is one entry, however deep; a file of the folder is one of its own.
 */
export function folderGraphs(
  arrows: Iterable<readonly [from: string, to: string]>,
): ReadonlyMap<string, Graph> {
  const byFolder = new Map<string, [string, string][]>();
  for (const [from, to] of arrows) {
    const left = from.split("/");
    const right = to.split("/");
    let shared = 0;
    while (left[shared] !== undefined && left[shared] === right[shared]) shared++;
    const folder = left.slice(0, shared).join("/");
    const entry = (path: string[]) => path.slice(0, shared + 1).join("/");
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), [entry(left), entry(right)]]);
  }
  return new Map([...byFolder].map(([folder, between]) => [folder, graphOf(between)]));
}
