/** A queue between a producer that pushes events and a consumer with `for await`. */

/** Delivers what was pushed, in order, and then the end. Nothing follows `close`. */
export class EventQueue<T> implements AsyncIterableIterator<T, undefined> {
  private readonly max: number;
  private readonly onReturn: () => void;
  private readonly waiting: T[] = [];
  private isClosed = false;
  private wake: () => void = () => {};

  /**
   * @param max when more events wait, the oldest are dropped. Default: none.
   * @param onReturn called when the consumer leaves its loop.
   */
  constructor({ max = Number.POSITIVE_INFINITY, onReturn = () => {} } = {}) {
    this.max = max;
    this.onReturn = onReturn;
  }

  /** How many events were pushed and not yet delivered. */
  get length(): number {
    return this.waiting.length;
  }

  push(event: T): void {
    if (this.isClosed) return;
    this.waiting.push(event);
    if (this.waiting.length > this.max) this.waiting.shift();
    this.wake();
  }

  close(): void {
    this.isClosed = true;
    this.wake();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    while (this.waiting.length === 0) {
      if (this.isClosed) return { done: true, value: undefined };
      // Several calls may wait at once.
      const earlier = this.wake;
      await new Promise<void>((resolve) => {
        this.wake = () => {
          earlier();
          resolve();
        };
      });
      this.wake = () => {};
    }
    return { done: false, value: this.waiting.shift() as T };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    this.onReturn();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
