/**
 * The statistics queue: one buffer that the device keeps until the host asks (virtio 1.3, 5.5.6.3).
 */

import type { Context } from "../judge/context.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import type { Chains, Taken } from "../queue/ring.ts";
import type { Fate, QueueHandler, Virtqueue } from "../queue/virtqueue.ts";
import { DESC, FEATURE, STAT_BYTES } from "../spec/numbers.ts";
import type { DevicePart, DriverAtRest } from "./device-part.ts";
import { arraysEqual } from "./pfns.ts";

/** The longest time to an answer: some hosts wait no longer. */
const STATS_ANSWER_MS = 1000;

export class Statistics implements QueueHandler, DevicePart {
  /** The last sample, by tag. */
  sample = new Map<number, bigint>();
  /** Buffers read. */
  samples = 0;
  /** Requests sent to the driver. */
  requests = 0;
  private readonly context: Context;
  private readonly served: boolean;
  private readonly bits: number;
  private held: Taken | undefined;
  private asked: { readonly ms: number; readonly entry: number } | undefined;
  private tags: string | undefined;
  /** The contents of `held` when it was taken. */
  private contents: Uint8Array = new Uint8Array(0);

  constructor(context: Context, quirks: { statsServed: boolean; statBits: number }) {
    this.context = context;
    this.served = quirks.statsServed;
    this.bits = quirks.statBits;
  }

  /** Whether a request was sent and not answered. */
  get waiting(): boolean {
    return this.asked !== undefined;
  }

  reset(): void {
    this.held = undefined;
    this.asked = undefined;
    this.tags = undefined;
  }

  /** Judges that the contents of the kept buffer did not change. */
  audit(): void {
    const { held, contents, context } = this;
    if (held === undefined || arraysEqual(readBytes(context.memory, held), contents)) return;
    context.judge.breach("R-BUFFER-CHANGED", "the statistics buffer was changed", [held.entry]);
  }

  /** Asks for a sample by returning the buffer. Returns whether there was one to return. */
  request(queue: Virtqueue): boolean {
    const { held } = this;
    if (held === undefined || !this.served) return false;
    this.audit();
    this.held = undefined;
    this.requests += 1;
    const entry = this.context.trace.add("host", "statistics are asked for");
    this.asked = { ms: this.context.clock.nowMs, entry };
    queue.finish([held]);
    return true;
  }

  serve(taken: Taken, queue: Virtqueue): Fate {
    const { judge } = this.context;
    if (this.held !== undefined) {
      judge.breach("D18", "a second statistics buffer is there", [this.held.entry]);
      if (!this.served) return "hold";
      const older = this.held;
      this.held = taken;
      this.read(taken);
      queue.finish([older]);
      return "hold";
    }
    this.held = taken;
    this.judgeAnswer();
    this.read(taken);
    return "hold";
  }

  returned(): number {
    return 0;
  }

  /** The queue was reset: the driver owes a new buffer once it is back. */
  dropped(): void {
    this.held = undefined;
    this.asked = undefined;
  }

  save() {
    const { sample, held, asked, tags, contents } = this;
    const values = [...sample].map(([tag, value]) => ({ tag, value: value.toString() }));
    return { sample: values, held: held?.id, asked, tags, contents: [...contents] };
  }

  load(state: ReturnType<Statistics["save"]>, chains: Chains): void {
    this.sample = new Map(state.sample.map(({ tag, value }) => [tag, BigInt(value)]));
    this.held = state.held === undefined ? undefined : chains.get(state.held);
    this.asked = state.asked;
    this.tags = state.tags;
    this.contents = Uint8Array.from(state.contents);
  }

  check({ uses }: DriverAtRest): void {
    if (this.held !== undefined || !uses(FEATURE.statsVq)) return;
    this.context.judge.breach("D19", "the device has no statistics buffer");
  }

  private judgeAnswer(): void {
    const { asked } = this;
    this.asked = undefined;
    if (asked === undefined) return;
    const tookMs = this.context.clock.nowMs - asked.ms;
    if (tookMs <= STATS_ANSWER_MS) return;
    this.context.judge.breach("Q-STATS-LATE", `the answer took ${tookMs} ms`, [asked.entry]);
  }

  private read(taken: Taken): void {
    const { judge } = this.context;
    const { chain } = taken;
    this.contents = readBytes(this.context.memory, taken);
    const bytes = chain.readableBytes;
    if (chain.writableBytes > 0) judge.breach("Q-WRITABLE", "a writable statistics buffer");
    if (chain.descriptors.length !== 1) {
      judge.breach("Q-ONE-DESCRIPTOR", `statistics in ${chain.descriptors.length} descriptors`);
    }
    if (bytes % STAT_BYTES !== 0) {
      judge.breach("D20", `a statistics buffer of ${bytes} bytes`);
      return;
    }
    this.parse(taken);
  }

  private parse(taken: Taken): void {
    const { judge, memory, trace } = this.context;
    const sample = new Map<number, bigint>();
    let entries = 0;
    for (const element of taken.chain.elements) {
      if ((element.flags & DESC.write) !== 0) continue;
      for (let at = 0; at + STAT_BYTES <= element.length; at += STAT_BYTES) {
        const tag = memory.read16(element.address + at);
        const value = memory.read64Exact(element.address + at + 2);
        sample.set(tag, BigInt.asUintN(this.bits, value));
        entries += 1;
      }
    }
    this.samples += 1;
    trace.add("queue", "stats sample", { entries });
    if (entries === 0 || sample.size !== entries) {
      judge.breach("D20-INIT", `${entries} entries, ${sample.size} different tags`);
      return;
    }
    const tags = [...sample.keys()].sort((a, b) => a - b).join(",");
    if (this.tags !== undefined && tags !== this.tags) {
      judge.breach("D20-SAME", `tags ${tags} after ${this.tags}`);
    }
    this.tags = tags;
    this.sample = sample;
  }
}

/** Bytes of a statistics buffer that are compared: hosts in the field read no more. */
const CONTENTS_MAX = 4096;

/** Returns the contents of a statistics buffer. */
function readBytes(memory: GuestMemory, { chain }: Taken): Uint8Array {
  const bytes = new Uint8Array(Math.min(CONTENTS_MAX, chain.readableBytes));
  let n = 0;
  for (const { address, length, flags } of chain.elements) {
    if ((flags & DESC.write) !== 0) continue;
    const some = Math.min(length, bytes.length - n);
    bytes.set(memory.bytesAt(address, some), n);
    n += some;
  }
  return bytes;
}
