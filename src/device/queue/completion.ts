/**
 * When a device returns the buffers that it took. Order and times depend on the seed alone, so that
 * a run can be repeated.
 */

import type { Context } from "../judge/context.ts";

/**
 * When buffers are returned.
 *
 * - `immediate`: inside the notification, in order.
 * - `late`: `ms` after it was taken, in order.
 * - `batched`: when there are `count` of them, or `ms` after the first of them was taken.
 * - `shuffled`: like `late`, but buffers that were taken together come back in random order.
 * - `scattered`: each buffer by itself, at a random time within `ms`.
 * - `never`: not at all.
 */
export type Completion =
  | { readonly kind: "immediate" }
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "batched"; readonly count: number; readonly ms: number }
  | { readonly kind: "shuffled"; readonly ms: number }
  | { readonly kind: "scattered"; readonly ms: number }
  | { readonly kind: "never" };

/** Buffers to return at `dueMs`: these, or all that have gathered by then. */
interface Batch<T> {
  readonly dueMs: number;
  readonly done: T[] | "gathered";
}

/** The state of a `CompletionQueue`, with the ids of its buffers. */
export type CompletionState = {
  readonly gathered: readonly string[];
  readonly handedIn: number;
  readonly underway: readonly {
    readonly dueMs: number;
    readonly done: readonly string[] | "gathered";
  }[];
};

/**
 * The buffers of one queue that wait to be returned by the schedule. Each that is handed in is
 * passed to `finish` once, together with those that are due at the same time.
 */
export class CompletionQueue<T extends { readonly id: string }> {
  private readonly context: Context;
  private readonly schedule: Completion;
  private readonly finish: (done: T[]) => void;
  private gathered: T[] = [];
  private handedIn = 0;
  /** The planned batches, each with the function that cancels it. */
  private readonly underway = new Map<Batch<T>, () => void>();

  constructor(context: Context, schedule: Completion, finish: (done: T[]) => void) {
    this.context = context;
    this.schedule = schedule;
    this.finish = finish;
  }

  /** How many buffers wait to be returned. */
  get pending(): number {
    return this.handedIn;
  }

  /** Hands in buffers that were taken together. */
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

  /** Drops all buffers, as a reset does. */
  forget(): void {
    this.gathered = [];
    this.handedIn = 0;
    for (const batch of [...this.underway.keys()]) this.cancel(batch);
  }

  save(): CompletionState {
    const { gathered, handedIn, underway } = this;
    const ids = (buffers: readonly T[]) => buffers.map(({ id }) => id);
    return {
      gathered: ids(gathered),
      handedIn,
      underway: [...underway.keys()].map(({ dueMs, done }) => {
        return { dueMs, done: done === "gathered" ? done : ids(done) };
      }),
    };
  }

  /** `find` gives the buffers with these ids. */
  load(state: CompletionState, find: (ids: readonly string[]) => T[]): void {
    this.forget();
    this.gathered = find(state.gathered);
    this.handedIn = state.handedIn;
    for (const { dueMs, done } of state.underway) {
      this.expect({ dueMs, done: done === "gathered" ? done : find(done) });
    }
  }

  private later(ms: number, done: Batch<T>["done"]): void {
    this.expect({ dueMs: this.context.clock.nowMs + ms, done });
  }

  private expect(batch: Batch<T>): void {
    const { clock } = this.context;
    const cancel = clock.plan(Math.max(0, batch.dueMs - clock.nowMs), () => {
      this.underway.delete(batch);
      if (batch.done === "gathered") this.flush();
      else this.release(batch.done);
    });
    this.underway.set(batch, cancel);
  }

  private cancel(batch: Batch<T>): void {
    this.underway.get(batch)?.();
    this.underway.delete(batch);
  }

  private gather(taken: T[], count: number, ms: number): void {
    for (const one of taken) {
      if (this.gathered.length === 0) this.later(ms, "gathered");
      this.gathered.push(one);
      if (this.gathered.length >= count) this.flush();
    }
  }

  private flush(): void {
    const done = this.gathered;
    this.gathered = [];
    for (const batch of [...this.underway.keys()]) {
      if (batch.done === "gathered") this.cancel(batch);
    }
    if (done.length > 0) this.release(done);
  }

  private release(done: T[]): void {
    this.handedIn -= done.length;
    this.finish(done);
  }
}
