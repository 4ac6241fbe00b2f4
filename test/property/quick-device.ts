/**
 * The quickest device that there can be: a transport of its own whose split rings are served at
 * once, in memory, without a look at any page. For runs of billions of pages.
 */
import type { Hal } from "../../runtime/hal.ts";
import { FEATURE } from "../../runtime/virtio/constants.ts";
import type { InterruptMode } from "../../runtime/virtio/interrupts.ts";
import {
  interruptCause,
  type QueueSetup,
  SEPARATE_AREAS,
  type Transport,
} from "../../runtime/virtio/transport.ts";

const QUEUE_SIZE = 64;
const WORD_BITS = 32;
const NUM_PAGES = 0;
const BOTH_CAUSES = 3;

interface Served {
  readonly setup: QueueSetup;
  /** Buffers taken and given back, without a limit. */
  buffers: number;
}

export class QuickTransport implements Transport {
  readonly name = "a quick device";
  readonly isLegacy = false;
  readonly ringLayout = SEPARATE_AREAS;
  readonly fixedQueueSize = false;
  readonly featureWords = 2;
  readonly requiredFeatures = 1n << BigInt(FEATURE.VERSION_1);
  readonly unusableFeatures = 0n;
  readonly configLength = 8;
  readonly expectedInterrupts = "polling";
  readonly interruptMode: InterruptMode = { kind: "polling" };
  /** num_pages. */
  target = 0;
  private readonly view: DataView;
  private readonly served = new Map<number, Served>();
  private statusBits = 0;
  private clockMs = 0;

  constructor(memory: WebAssembly.Memory) {
    this.view = new DataView(memory.buffer);
  }

  /** A machine that has the clock of this device and nothing else. */
  get hal(): Hal {
    return {
      portRead: () => 0,
      portWrite: () => {},
      mmioRead: () => 0,
      mmioWrite: () => {},
      now: () => this.clockMs,
      log: () => {},
    };
  }

  passMs(ms: number): void {
    this.clockMs += ms;
  }

  buffersOf(queue: number): number {
    return this.served.get(queue)?.buffers ?? 0;
  }

  deviceFeatures(word: number): number {
    const bits = word === 0 ? [0, FEATURE.EVENT_IDX] : [FEATURE.VERSION_1 - WORD_BITS];
    return bits.reduce((set, bit) => set + 2 ** bit, 0);
  }

  writeDriverFeatures(): void {}

  status(): number {
    return this.statusBits;
  }

  addStatus(bits: number): void {
    this.statusBits |= bits;
  }

  reset(): void {
    this.statusBits = 0;
    this.served.clear();
  }

  readConfig({ offset }: { readonly offset: number }): number {
    return offset === NUM_PAGES ? this.target : 0;
  }

  writeConfig(): void {}

  numQueues(): number {
    return 2;
  }

  queueMaxSize(index: number): number {
    return index < 2 ? QUEUE_SIZE : 0;
  }

  setUpInterrupts(): InterruptMode {
    return this.interruptMode;
  }

  setUpQueue(setup: QueueSetup): void {
    this.served.set(setup.index, { setup, buffers: 0 });
  }

  /** Gives every buffer back, and wants to hear of the next one. */
  notify(index: number): void {
    const served = this.served.get(index);
    if (served === undefined) throw new Error(`no queue ${index}`);
    const { view } = this;
    const { driverArea, deviceArea, size } = served.setup;
    const shown = view.getUint16(driverArea + 2, true);
    for (; (served.buffers & 0xffff) !== shown; served.buffers += 1) {
      const entry = served.buffers % size;
      const id = view.getUint16(driverArea + 4 + 2 * entry, true);
      view.setUint32(deviceArea + 4 + 8 * entry, id, true);
    }
    view.setUint16(deviceArea + 4 + 8 * size, shown, true);
    view.setUint16(deviceArea + 2, shown, true);
  }

  resetQueue(index: number): void {
    throw new Error(`no reset of queue ${index}`);
  }

  isQueueReset(): boolean {
    return false;
  }

  acknowledgeInterrupt() {
    return interruptCause(BOTH_CAUSES);
  }

  tearDown(): void {
    this.reset();
  }
}
