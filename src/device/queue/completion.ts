/**
 * When a device returns the buffers that it took.
 *
 * It must not know rings. Invariant: every buffer handed in comes out exactly once, unless the
 * schedule is `never`; the order and the times depend on the seed alone.
 */

import type { Context } from "../judge/context.ts";

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

/** What comes back at a time: these, or all that have gathered by then. */
interface Batch<T> {
  readonly dueMs: number;
  readonly done: T[] | "gathered";
}

export type CompletionState = {
  /** Ids of buffers. */
  readonly gathered: readonly string[];
  readonly handedIn: number;
  readonly underway: readonly {
    readonly dueMs: number;
    readonly done: readonly string[] | "gathered";
  }[];
};

/** Buffers on their way back, for one queue. `finish` gets those that are done together. */
export class CompletionQueue<T extends { readonly id: string }> {
  private readonly context: Context;
  private readonly schedule: Completion;
  private readonly finish: (done: T[]) => void;
  private gathered: T[] = [];
  private handedIn = 0;
  /** Each with the way to call it off. */
  private readonly underway = new Map<Batch<T>, () => void>();

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
    for (const batch of [...this.underway.keys()]) this.callOff(batch);
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
    const callOff = clock.plan(Math.max(0, batch.dueMs - clock.nowMs), () => {
      this.underway.delete(batch);
      if (batch.done === "gathered") this.flush();
      else this.release(batch.done);
    });
    this.underway.set(batch, callOff);
  }

  private callOff(batch: Batch<T>): void {
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
      if (batch.done === "gathered") this.callOff(batch);
    }
    if (done.length > 0) this.release(done);
  }

  private release(done: T[]): void {
    this.handedIn -= done.length;
    this.finish(done);
  }
}
