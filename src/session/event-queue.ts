/**
 * A queue that one side pushes to and the other side reads with `for await`, in order, until the
 * end of everything that was pushed before `close`.
 */
export class EventQueue<T> implements AsyncIterable<T> {
  private waiting: T[] = [];
  private closed = false;
  private wake: () => void = () => {};

  /** How many events were pushed and not read yet. */
  get length(): number {
    return this.waiting.length;
  }

  push(event: T): void {
    if (this.closed) return;
    this.waiting.push(event);
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const batch = this.waiting;
      this.waiting = [];
      yield* batch;
      if (this.waiting.length > 0) continue;
      if (this.closed) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
