/**
 * When a device returns the buffers that it took.
 *
 * It must not know rings. Invariant: every buffer handed in comes out exactly once, unless the
 * schedule is `never`; the order and the times depend on the seed alone.
 */

import type { Context } from "./context.ts";

/**
 * - `immediate`: inside the notification, in order.
 * - `late`: `ms` after it was taken, in order.
 * - `batched`: when `count` have gathered, or `ms` after the first of them was taken.
 * - `shuffled`: like `late`, but each batch that was taken together comes back in random order.
 * - `scattered`: each buffer on its own, at a random time within `ms`.
 * - `never`: not at all.
 */
export type Completion =
  | { readonly kind: "immediate" }
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "batched"; readonly count: number; readonly ms: number }
  | { readonly kind: "shuffled"; readonly ms: number }
  | { readonly kind: "scattered"; readonly ms: number }
  | { readonly kind: "never" };

/** Buffers on their way back, for one queue. `finish` gets those that are done together. */
export class CompletionQueue<T> {
  private readonly context: Context;
  private readonly schedule: Completion;
  private readonly finish: (done: T[]) => void;
  private gathered: T[] = [];
  private handedIn = 0;
  private epoch = 0;

  constructor(context: Context, schedule: Completion, finish: (done: T[]) => void) {
    this.context = context;
    this.schedule = schedule;
    this.finish = finish;
  }

  /** How many buffers are on their way back. */
  get pending(): number {
    return this.handedIn;
  }

  /** Hands in what was taken together. */
  add(taken: T[]): void {
    if (taken.length === 0) return;
    this.handedIn += taken.length;
    const { schedule } = this;
    switch (schedule.kind) {
      case "immediate":
        this.release(taken);
        return;
      case "late":
        this.later(schedule.ms, taken);
        return;
      case "shuffled":
        this.later(schedule.ms, this.context.random.shuffle([...taken]));
        return;
      case "scattered":
        for (const one of taken) this.later(this.context.random.below(schedule.ms + 1), [one]);
        return;
      case "batched":
        this.gather(taken, schedule.count, schedule.ms);
        return;
      case "never":
        return;
    }
  }

  /** Forgets everything on its way, as a reset does. */
  forget(): void {
    this.gathered = [];
    this.handedIn = 0;
    this.epoch += 1;
  }

  private later(ms: number, done: T[]): void {
    const epoch = this.epoch;
    this.context.clock.plan(ms, () => {
      if (epoch === this.epoch) this.release(done);
    });
  }

  private gather(taken: T[], count: number, ms: number): void {
    for (const one of taken) {
      if (this.gathered.length === 0) this.flushLater(ms);
      this.gathered.push(one);
      if (this.gathered.length >= count) this.flush();
    }
  }

  private flushLater(ms: number): void {
    const epoch = this.epoch;
    const first = this.gathered;
    this.context.clock.plan(ms, () => {
      if (epoch === this.epoch && first === this.gathered) this.flush();
    });
  }

  private flush(): void {
    const done = this.gathered;
    this.gathered = [];
    if (done.length > 0) this.release(done);
  }

  private release(done: T[]): void {
    this.handedIn -= done.length;
    this.finish(done);
  }
}
