/**
 * What of a machine moves with its guest: for each kind of part, the fields that do.
 *
 * It must not know what the fields mean. Invariant: a part of the same name gets on the other
 * machine what it had on the first; whatever is not in the table belongs to the host and stays, and
 * a test compares the table with the parts' own fields.
 */

import { PageSet } from "../memory/page-set.ts";
import { GraphReader, GraphWriter, type Names } from "./object-codec.ts";

/** Fields, or pairs of a getter and a setter, in the order in which they are set. */
export const MOVES = {
  virtio: [
    ...["status", "resetShows", "accepted", "refused", "firstUsed", "isr", "generation"],
    ...["configRead", "early"],
  ],
  bringUp: [
    ...["legacy", "wasReset", "readZero", "wordsRead", "shown", "readBack", "refused"],
    "sawNeedsReset",
  ],
  queue: [
    ...["size", "packed", "enabled", "descAddress", "driverAddress", "deviceAddress", "written"],
    ...["ringState", "completionState", "order", "done", "stuck", "resetUnread"],
  ],
  balloon: ["numPages", "actual", "requests", "features", "lowestTarget"],
  actual: [
    ...["written", "silence", "base", "inflated", "deflated", "changedSinceWrite", "silent"],
  ],
  pages: ["chunks", "counts"],
  garbage: ["seed"],
  stats: ["sample", "held", "asked", "tags", "contents"],
  hinting: ["commandId", "lastId", "seenId", "block", "starts", "ambiguous"],
  reporting: ["reports"],
  lending: ["hinted", "reporting"],
  poison: ["value", "back", "active", "written", "started"],
  messages: ["given", "arrived"],
  pciBus: ["address"],
  pciFunction: ["space"],
  common: ["offerSelect", "featureSelect", "queueSelect"],
  guard: ["used"],
  vectors: ["mapped", "unread"],
  msixTable: ["enabled", "functionMasked", "entryStates"],
  legacyQueues: ["selected", "sizesRead", "numbers"],
  legacyMmioQueues: ["pageBytes", "sized", "aligns"],
  mmioQueues: ["select", "unread"],
  mmio: ["offerSelect", "featureSelect", "shown"],
  mmioSlot: ["seen", "known"],
} as const satisfies Record<string, readonly string[]>;

export type PartKind = keyof typeof MOVES;

interface Part {
  readonly kind: PartKind;
  readonly owner: object;
}

/** All parts' fields as they go into a stream. */
export interface MovedParts {
  readonly objects: GraphWriter["objects"];
  readonly parts: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const CLASSES = { PageSet } as const;

export class Moving {
  private readonly byName = new Map<string, Part>();
  private readonly names: Names = {
    nameOf: (object) => {
      for (const [name, { owner }] of this.byName) if (owner === object) return name;
      return undefined;
    },
    named: (name) => this.byName.get(name)?.owner,
  };

  /**
   * `which` tells parts of one kind apart. A part that is made anew takes the place of the one
   * before.
   */
  add(kind: PartKind, owner: object, which?: string | number): void {
    this.byName.set(which === undefined ? kind : `${kind} ${which}`, { kind, owner });
  }

  /** All parts, by name. */
  get parts(): ReadonlyMap<string, Part> {
    return this.byName;
  }

  save(): MovedParts {
    const writer = new GraphWriter(this.names, CLASSES);
    const parts: Record<string, Record<string, unknown>> = {};
    for (const [name, { kind, owner }] of this.byName) {
      const values = MOVES[kind].map((field) => [field, writer.write(Reflect.get(owner, field))]);
      parts[name] = Object.fromEntries(values) as Record<string, unknown>;
    }
    return { objects: writer.objects, parts };
  }

  /** Parts that are not there have nothing to take. */
  load({ objects, parts }: MovedParts): void {
    const reader = new GraphReader(this.names, CLASSES, objects);
    for (const [name, { kind, owner }] of this.byName) {
      const values = parts[name];
      if (values === undefined) continue;
      for (const field of MOVES[kind]) Reflect.set(owner, field, reader.read(values[field]));
    }
  }
}
