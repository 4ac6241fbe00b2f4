/**
 * A search through all states of a small world, breadth first, so that what it finds wrong is found
 * by a shortest path. States of one signature are one state.
 */
import type { Snapshot, Snapshots } from "./snapshots.ts";

export interface World {
  readonly snapshots: Snapshots;
  /** What can happen now, as words. */
  actions(): readonly string[];
  act(action: string): void;
  /** All that decides what can happen from here on, symmetric states having the same. */
  signature(): string;
  /** What must hold in every state. @throws Error when something does not. */
  judge(): void;
  /** Lets the world come to rest fairly, and judges that it does. Changes the world. */
  judgeLiveness(): void;
}

export interface Limits {
  readonly depth: number;
  readonly milliseconds: number;
}

export interface Figures {
  readonly states: number;
  readonly transitions: number;
  /** Every state to this depth was looked at. */
  readonly depth: number;
  /** Whether there was nothing beyond it. */
  readonly isWhole: boolean;
  readonly milliseconds: number;
  /** The first thing that was wrong, and the shortest way there. */
  readonly wrong?: { readonly path: readonly string[]; readonly what: string };
}

interface Node {
  readonly snapshot: Snapshot;
  readonly path: readonly string[];
}

/** Returns what `act` threw, as text. */
function thrownBy(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Looks at every state within the limits, or until one is wrong. */
export function explore(world: World, { depth: most, milliseconds }: Limits): Figures {
  const startMs = performance.now();
  const { snapshots } = world;
  const known = new Set<string>();
  let transitions = 0;
  const figures = (depth: number, isWhole: boolean): Figures => {
    const took = performance.now() - startMs;
    return { states: known.size, transitions, depth, isWhole, milliseconds: took };
  };
  /** Judges a state that is new. Returns it, or what is wrong with it. */
  const meet = (path: readonly string[]): Node | string | undefined => {
    const wrong = thrownBy(() => world.judge());
    if (wrong !== undefined) return wrong;
    const signature = world.signature();
    if (known.has(signature)) return undefined;
    known.add(signature);
    const snapshot = snapshots.save();
    return thrownBy(() => world.judgeLiveness()) ?? { snapshot, path };
  };
  const first = meet([]);
  if (typeof first === "string") return { ...figures(0, false), wrong: { path: [], what: first } };
  let layer = first === undefined ? [] : [first];
  for (let depth = 0; layer.length > 0; depth++) {
    if (depth === most) return figures(depth, false);
    const next: Node[] = [];
    for (const { snapshot, path } of layer) {
      if (performance.now() - startMs > milliseconds) return figures(depth, false);
      snapshots.load(snapshot);
      for (const action of world.actions()) {
        snapshots.load(snapshot);
        transitions += 1;
        const way = [...path, action];
        const failed = thrownBy(() => world.act(action));
        const met = failed ?? meet(way);
        if (typeof met === "string") {
          return { ...figures(depth + 1, false), wrong: { path: way, what: met } };
        }
        if (met !== undefined) next.push(met);
      }
    }
    layer = next;
    if (layer.length === 0) return figures(depth, true);
  }
  return figures(0, true);
}

/** One line for people. */
export function formatFigures(figures: Figures): string {
  const { states, transitions, depth, isWhole, milliseconds, wrong } = figures;
  const how = isWhole ? "all there are" : `all to depth ${depth}`;
  const found = wrong && `; wrong after ${wrong.path.join(", ")}: ${wrong.what.split("\n")[0]}`;
  const seconds = (milliseconds / 1000).toFixed(1);
  return `${states} states (${how}), ${transitions} transitions, ${seconds} s${found ?? ""}`;
}
