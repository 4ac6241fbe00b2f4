/**
 * One serial port that carries the guest's log and its control channel, told apart by line: a line
 * that begins as each reply of the guest does is the channel's, any other the log's.
 */

/** What each reply begins with. No line of the log does. */
const REPLY_START = new TextEncoder().encode('{"jsonrpc":"2.0"');
const LINE_END = 0x0a;

interface SharedSerialOptions {
  readonly onLog: (bytes: Uint8Array) => void;
  readonly onControl: (bytes: Uint8Array) => void;
}

export class SharedSerial {
  private readonly options: SharedSerialOptions;
  /** Bytes of the line so far, as long as they may be a reply's. Undefined: the line is decided. */
  private matched: number | undefined = 0;
  private isReply = false;

  constructor(options: SharedSerialOptions) {
    this.options = options;
  }

  push(bytes: Uint8Array): void {
    let start = 0;
    while (start < bytes.length) {
      if (this.matched !== undefined) start += this.decide(bytes.subarray(start));
      else start += this.passOn(bytes.subarray(start));
    }
  }

  /** The line ends here, whatever comes: the machine was reset, or has ended. */
  cut(): void {
    if (this.matched !== 0) this.push(Uint8Array.of(LINE_END));
  }

  /** Looks at the beginning of a line. Returns how many bytes it has taken. */
  private decide(bytes: Uint8Array): number {
    const { matched = 0 } = this;
    const rest = REPLY_START.subarray(matched);
    const differs = rest.findIndex((byte, at) => at < bytes.length && byte !== bytes[at]);
    const taken = differs < 0 ? Math.min(rest.length, bytes.length) : differs;
    this.matched = matched + taken;
    if (differs < 0 && this.matched < REPLY_START.length) return taken;
    this.isReply = differs < 0;
    this.sink(REPLY_START.subarray(0, this.matched));
    this.matched = undefined;
    return taken;
  }

  /** Passes on the rest of a line. Returns how many bytes that were. */
  private passOn(bytes: Uint8Array): number {
    const end = bytes.indexOf(LINE_END);
    const taken = end < 0 ? bytes.length : end + 1;
    this.sink(bytes.subarray(0, taken));
    if (end >= 0) this.matched = 0;
    return taken;
  }

  private sink(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.isReply) this.options.onControl(bytes);
    else this.options.onLog(bytes);
  }
}
