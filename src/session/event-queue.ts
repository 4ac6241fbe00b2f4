/**
 * A queue between one that tells and one that listens with `for await`.
 *
 * It knows nothing of what is told. Invariant: what was pushed is delivered in order, and then the
 * end: nothing after `close` is.
 */
export class EventQueue<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  #closed = false;
  #wake: () => void = () => {};

  /** How many were pushed and not yet delivered. */
  get length(): number {
    return this.#waiting.length;
  }

  push(event: T): void {
    if (this.#closed) return;
    this.#waiting.push(event);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const batch = this.#waiting;
      this.#waiting = [];
      yield* batch;
      if (this.#waiting.length > 0) continue;
      if (this.#closed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
