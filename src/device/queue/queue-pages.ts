/**
 * The pages on which queues and buffers in flight lie: memory that a driver must not give away. The
 * ranges of hints and reports do not count, because the driver gives exactly them.
 */

import type { Context } from "../judge/context.ts";
import { DESC, PAGE_BYTES } from "../spec/numbers.ts";
import type { Virtqueue } from "./virtqueue.ts";

export class QueuePages {
  private readonly context: Context;
  private readonly queues: readonly Virtqueue[];
  /** The last result: a burst of buffers needs the same one many times in one turn. */
  private known = { turn: -1, inFlight: 0, pages: new Set<number>() };

  constructor(context: Context, queues: readonly Virtqueue[]) {
    this.context = context;
    this.queues = queues;
  }

  pages(): ReadonlySet<number> {
    const { turn } = this.context.clock;
    const inFlight = this.queues.reduce((sum, { ring }) => sum + (ring?.inFlight.size ?? 0), 0);
    if (turn === this.known.turn && inFlight === this.known.inFlight) return this.known.pages;
    const pages = new Set<number>();
    this.known = { turn, inFlight, pages };
    for (const queue of this.queues) this.addQueue(queue, pages);
    return pages;
  }

  private addQueue({ ring, options }: Virtqueue, pages: Set<number>): void {
    if (ring === undefined) return;
    for (const { address, bytes } of ring.areas()) addRange(pages, address, bytes);
    const lends = options.role === "freePage" || options.role === "reporting";
    for (const { chain } of ring.inFlight.values()) {
      for (const { address, length, flags } of chain.elements) {
        if (lends && (flags & DESC.write) !== 0) continue;
        addRange(pages, address, length);
      }
    }
  }
}

function addRange(pages: Set<number>, address: number, bytes: number): void {
  const last = (address + Math.max(bytes, 1) - 1) / PAGE_BYTES;
  for (let pfn = Math.floor(address / PAGE_BYTES); pfn <= last; pfn += 1) pages.add(pfn);
}
