/** Splits bytes into lines: for the guest's log, the control channel and QMP. */

interface LineSplitterOptions {
  /** Longest line in bytes, without its end. */
  readonly maxBytes: number;
  readonly onLine: (line: string) => void;
  /**
   * Called once for each line that is too long, with its first `maxBytes` bytes as text.
   * The rest of that line is discarded.
   */
  readonly onOversize: (head: string) => void;
}

const LF = 0x0a;
const CR = 0x0d;
const FIRST_CAPACITY_BYTES = 256;

/**
 * A line ends with LF; a CR before it is dropped. Bytes that are no UTF-8 become U+FFFD, so a
 * broken guest does not break its reader.
 */
export class LineSplitter {
  private readonly options: LineSplitterOptions;
  private readonly decoder = new TextDecoder();
  private held = new Uint8Array(FIRST_CAPACITY_BYTES);
  private heldBytes = 0;
  private discarding = false;

  constructor(options: LineSplitterOptions) {
    this.options = options;
  }

  /** What has arrived since the last line end. */
  get partial(): string {
    return this.decoder.decode(this.held.subarray(0, this.heldBytes));
  }

  push(bytes: Uint8Array): void {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(LF, start);
      this.hold(bytes.subarray(start, end < 0 ? bytes.length : end));
      if (end < 0) return;
      this.endLine();
      start = end + 1;
    }
  }

  private hold(bytes: Uint8Array): void {
    if (this.discarding) return;
    const { maxBytes, onOversize } = this.options;
    const taken = Math.min(bytes.length, maxBytes - this.heldBytes);
    this.reserve(this.heldBytes + taken);
    this.held.set(bytes.subarray(0, taken), this.heldBytes);
    this.heldBytes += taken;
    if (taken === bytes.length) return;
    const head = this.partial;
    this.heldBytes = 0;
    this.discarding = true;
    onOversize(head);
  }

  private endLine(): void {
    if (this.discarding) {
      this.discarding = false;
      return;
    }
    if (this.heldBytes > 0 && this.held[this.heldBytes - 1] === CR) this.heldBytes -= 1;
    const line = this.partial;
    this.heldBytes = 0;
    this.options.onLine(line);
  }

  private reserve(bytes: number): void {
    if (bytes <= this.held.length) return;
    const grown = new Uint8Array(
      Math.min(Math.max(bytes, this.held.length * 2), Math.max(bytes, this.options.maxBytes)),
    );
    grown.set(this.held.subarray(0, this.heldBytes));
    this.held = grown;
  }
}
