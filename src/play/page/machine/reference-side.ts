/** The reference device in a machine on the page: it judges the driver of the guest. */

import type { DeviceChoice } from "./choice.ts";
import { type HostSide, STATISTICS } from "./host-side.ts";
import { type Board, type Device, plugIn, V86Guest, type V86Vmm } from "./shared.ts";

const ANSWER_MS = 10_000;
const LOOK_MS = 5;

export type ReferenceChoice = Extract<DeviceChoice, { kind: "reference" }>;

/** Returns the device's options, as the judge takes them. */
export function referenceOptions({ design, profile, answerMs }: ReferenceChoice) {
  const completion = answerMs === undefined ? {} : { deflate: late(answerMs) };
  return { choice: { hostDesign: design, profile }, own: { completion } };
}

function late(ms: number) {
  return { kind: "late", ms } as const;
}

export class ReferenceSide implements HostSide {
  readonly device: Device;
  private readonly guest: V86Guest;
  private readonly board: Board;
  private readonly closing = new AbortController();

  constructor(parts: { vmm: V86Vmm; board: Board; device: Device; choice: ReferenceChoice }) {
    const { vmm, board, device, choice } = parts;
    this.device = device;
    this.board = board;
    const { signal } = this.closing;
    const renew = plugIn(board, referenceOptions(choice).choice);
    this.guest = new V86Guest({ vmm, board, device, renew, signal, system: {}, goesOn: true });
  }

  get targetPages(): number {
    return this.device.target;
  }

  get actualPages(): number {
    return this.device.actual;
  }

  get signals() {
    return this.device.counters;
  }

  async setTarget(pages: number): Promise<void> {
    this.device.setTarget(pages);
    this.board.wake();
  }

  async statistics(): Promise<Readonly<Record<string, bigint>>> {
    const { samples } = this.device.stats;
    if (!this.device.requestStats()) throw new Error("the driver has given no buffer for them");
    this.board.wake();
    await this.until(() => this.device.stats.samples > samples);
    const { sample } = this.device.stats;
    return Object.fromEntries([...sample].map(([tag, value]) => [STATISTICS[tag] ?? tag, value]));
  }

  async hint(): Promise<number> {
    const { pages, stops } = this.device.hinting;
    if (this.device.startHinting() === undefined) throw new Error("a driver without hinting");
    this.board.wake();
    await this.until(() => this.device.hinting.stops > stops);
    this.device.finishHinting();
    this.board.wake();
    return (this.device.hinting.pages - pages) * 4096;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.guest.close();
  }

  private async until(isTrue: () => boolean): Promise<void> {
    const endMs = performance.now() + ANSWER_MS;
    while (!isTrue()) {
      this.closing.signal.throwIfAborted();
      if (performance.now() > endMs) throw new Error("the driver has not answered within 10 s");
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
