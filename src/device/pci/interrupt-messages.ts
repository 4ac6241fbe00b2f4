/**
 * The machine's end of message-signalled interrupts: it hands messages out, and takes those that
 * devices write. It delivers only messages that were handed out; another one is a breach.
 */

import type { Context } from "../judge/context.ts";
import type { InterruptMessage } from "../virtio/bus.ts";

/** Where x86 machines take messages, and the first vector that is free there. */
const ADDRESS = 0xfee0_0000;
const FIRST_DATA = 0x30;
/** Messages go to four processors in turn, so that addresses differ as well as data. */
const TARGETS = 4;
const TARGET_BYTES = 0x1000;

export class InterruptMessages {
  private readonly context: Context;
  private readonly capacity: number;
  private given: InterruptMessage[] = [];
  private arrived: number[] = [];

  constructor(context: Context, capacity: number) {
    this.context = context;
    this.capacity = capacity;
  }

  /** How many messages were delivered and not taken. */
  get waiting(): number {
    return this.arrived.length;
  }

  save() {
    return { given: this.given.map((message) => ({ ...message })), arrived: this.arrived };
  }

  load({ given, arrived }: ReturnType<InterruptMessages["save"]>): void {
    this.given = [...given];
    this.arrived = [...arrived];
  }

  /** Returns `count` new messages; `undefined` when fewer are left. */
  allocate(count: number): readonly InterruptMessage[] | undefined {
    const first = this.given.length;
    if (first + count > this.capacity) return undefined;
    for (let n = first; n < first + count; n += 1) {
      const address = ADDRESS + (n % TARGETS) * TARGET_BYTES;
      this.given.push({ address, data: FIRST_DATA + n });
    }
    return this.given.slice(first);
  }

  /** A device writes this. Returns whether it is an interrupt. */
  deliver({ address, data }: InterruptMessage): boolean {
    const number = this.given.findIndex((one) => one.address === address && one.data === data);
    const what = `message 0x${data.toString(16)} to 0x${address.toString(16)}`;
    if (number < 0) {
      this.context.judge.breach("P-MSIX-MESSAGE", `${what}, which nobody was given`);
      return false;
    }
    this.context.trace.add("interrupt", what, { number });
    this.arrived.push(number);
    return true;
  }

  /** Takes what arrived: numbers from 0, in the order in which messages were handed out. */
  take(): readonly number[] {
    const { arrived } = this;
    this.arrived = [];
    return arrived;
  }
}
