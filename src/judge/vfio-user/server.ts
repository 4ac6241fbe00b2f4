/**
 * Serves one PCI function to a client of vfio-user: answers messages, and tells of interrupts.
 *
 * The client keeps the MSI-X table; it masks the line by itself when the line was triggered, and
 * says UNMASK when the guest may have served it. The line is looked at again then.
 */
import type { PciDevice } from "../../device/index.ts";
import {
  COMMAND,
  ERRNO,
  fields,
  type Message,
  MessageReader,
  type Payload,
  ProtocolError,
  refusal,
  reply,
  ShortPayload,
  trigger,
} from "./messages.ts";

/** Where the server's bytes go. */
export interface Wire {
  /** Sends bytes to the relay. */
  send(bytes: Uint8Array): void;
  /** The connection cannot go on: the client broke the protocol. */
  end(reason: string): void;
}

/** The function that is served, as it is now. */
export interface Served {
  readonly pci: PciDevice;
  readonly interruptPending: boolean;
  reset(): void;
}

/** What the guest did, for those who wait until it rests. */
export interface ServerOptions {
  readonly wire: Wire;
  /** Returns the function. It is asked at each message, so that another one can take its place. */
  readonly served: () => Served;
  /** Entries of the MSI-X table that the client keeps. */
  readonly vectors: number;
  /** Called when an access was served. */
  readonly onAccess?: () => void;
  /** Called at the first write that the client does not wait for. */
  readonly onPosted?: () => void;
}

/** PCI regions of VFIO: BARs from 0 on, the expansion ROM, configuration space, VGA. */
const REGION = { bars: 6, config: 7, count: 9 } as const;
const CONFIG_BYTES = 256;

/** Kinds of interrupts of VFIO. */
const IRQ = { line: 0, msix: 2, count: 5 } as const;

const DEVICE_FLAGS = { reset: 1, pci: 2 } as const;
const REGION_FLAGS = { read: 1, write: 2 } as const;
const IRQ_FLAGS = { eventfd: 1, maskable: 2, automasked: 4, noResize: 8 } as const;
const SET = { eventfd: 4, mask: 8, unmask: 16, trigger: 32 } as const;

/** Major and minor version; the relay takes 16 descriptors of a message. */
const VERSION_MAJOR = 0;
const VERSION_MINOR = 1;
const CAPABILITIES = JSON.stringify({
  capabilities: { max_msg_fds: 8, max_data_xfer_size: 4096 },
});

/** Widths of one access. */
const WIDTHS = [4, 2, 1] as const;
type Width = (typeof WIDTHS)[number];

/** Bytes of a read of a region that is no access: the client reads all of configuration space. */
const READ_BYTES_MAX = 4096;

export class VfioUserServer {
  /** Whether accesses to configuration space are the guest's; the client's own are not judged. */
  guestRuns = false;
  private readonly options: ServerOptions;
  private readonly reader = new MessageReader();
  /** Bytes of each region, also of a function that was pulled out since. */
  private readonly sizes: readonly number[];
  private ended = false;
  private lineIsMasked = false;
  private hasPosted = false;

  constructor(options: ServerOptions) {
    this.options = options;
    const { bars } = options.served().pci;
    this.sizes = Array.from({ length: REGION.count }, (_, index) => {
      if (index === REGION.config) return CONFIG_BYTES;
      return bars.find((bar) => bar.index === index)?.bytes ?? 0;
    });
  }

  /** Bytes of the client. Never throws: what cannot be understood ends the connection. */
  receive(bytes: Uint8Array): void {
    if (this.ended) return;
    try {
      for (const message of this.reader.push(bytes)) this.serve(message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.ended = true;
      this.options.wire.end(error.message);
    }
  }

  /** The level of the function's line changed, or may have. */
  lineChanged(): void {
    if (this.lineIsMasked || !this.options.served().interruptPending) return;
    this.lineIsMasked = true;
    this.options.wire.send(trigger(IRQ.line, 0));
  }

  /** An MSI-X vector of the function is to be told. */
  raise(vector: number): void {
    this.options.wire.send(trigger(IRQ.msix, vector));
  }

  private serve(message: Message): void {
    const { wire } = this.options;
    let answer: Uint8Array | undefined;
    try {
      answer = this.answer(message);
    } catch (error) {
      if (!(error instanceof ShortPayload)) throw error;
    }
    if (!message.wantsReply) {
      if (message.command === COMMAND.regionWrite) this.posted();
      return;
    }
    if (answer === undefined) wire.send(refusal(message, ERRNO.invalid));
    else wire.send(answer);
  }

  private posted(): void {
    if (!this.hasPosted) this.options.onPosted?.();
    this.hasPosted = true;
  }

  /** Returns the reply; undefined when the message makes no sense. */
  private answer(message: Message): Uint8Array | undefined {
    const { command, payload } = message;
    const ok = (bytes: Uint8Array | undefined) => bytes && reply(message, bytes);
    switch (command) {
      case COMMAND.version:
        return ok(version(payload));
      case COMMAND.dmaMap:
        return ok(payload.slice(0, 32) && new Uint8Array());
      case COMMAND.dmaUnmap:
        return ok(payload.slice(0, 24));
      case COMMAND.getInfo:
        return ok(fields(16, DEVICE_FLAGS.reset | DEVICE_FLAGS.pci, REGION.count, IRQ.count));
      case COMMAND.getRegionInfo:
        return ok(this.regionInfo(payload.u32(8)));
      case COMMAND.getIrqInfo:
        return ok(this.irqInfo(payload.u32(8)));
      case COMMAND.setIrqs:
        return ok(this.setIrqs(payload));
      case COMMAND.regionRead:
        return ok(this.read(payload));
      case COMMAND.regionWrite:
        return ok(this.write(payload));
      case COMMAND.reset:
        this.options.served().reset();
        return ok(new Uint8Array());
      default:
        return refusal(message, ERRNO.notSupported);
    }
  }

  private regionInfo(index: number): Uint8Array | undefined {
    const bytes = this.sizes[index];
    if (bytes === undefined) return undefined;
    const flags = bytes === 0 ? 0 : REGION_FLAGS.read | REGION_FLAGS.write;
    return fields(32, flags, index, 0, BigInt(bytes), 0n);
  }

  private irqInfo(index: number): Uint8Array | undefined {
    if (index >= IRQ.count) return undefined;
    const { eventfd, maskable, automasked, noResize } = IRQ_FLAGS;
    if (index === IRQ.line) return fields(16, eventfd | maskable | automasked, index, 1);
    if (index === IRQ.msix) return fields(16, eventfd | noResize, index, this.options.vectors);
    return fields(16, 0, index, 0);
  }

  /** The relay has the eventfds; what is left is whether the line is masked. */
  private setIrqs(payload: Payload): Uint8Array | undefined {
    const [flags, index] = [payload.u32(4), payload.u32(8)];
    const [start, count] = [payload.u32(12), payload.u32(16)];
    const most = index === IRQ.line ? 1 : index === IRQ.msix ? this.options.vectors : 0;
    if (index >= IRQ.count || start + count > most) return undefined;
    if (index === IRQ.line) {
      if ((flags & SET.mask) !== 0) this.lineIsMasked = true;
      if ((flags & SET.unmask) !== 0) this.unmask();
      // A new eventfd: what the last one was told is not known any more.
      if ((flags & SET.trigger) !== 0 && (flags & SET.eventfd) !== 0) this.unmask();
    }
    return new Uint8Array();
  }

  private unmask(): void {
    this.lineIsMasked = false;
    this.lineChanged();
  }

  private read(payload: Payload): Uint8Array | undefined {
    const [offset, region, count] = [payload.u64(0), payload.u32(8), payload.u32(12)];
    if (count > READ_BYTES_MAX || !this.holds(region, offset, count)) return undefined;
    const bytes = Buffer.alloc(16 + count);
    bytes.set(payload.slice(0, 16));
    for (const { at, width } of pieces(offset, count)) {
      bytes.writeUIntLE(this.readOne(region, offset + at, width), 16 + at, width);
    }
    this.options.onAccess?.();
    return bytes;
  }

  private readOne(region: number, offset: number, width: Width): number {
    const { pci } = this.options.served();
    if (region !== REGION.config) return pci.read(region, offset, width);
    return this.guestRuns ? pci.config.read(offset, width) : pci.config.peek(offset, width);
  }

  private write(payload: Payload): Uint8Array | undefined {
    const [offset, region, count] = [payload.u64(0), payload.u32(8), payload.u32(12)];
    const data = Buffer.from(payload.slice(16, count));
    if (!this.holds(region, offset, count)) return undefined;
    const { pci } = this.options.served();
    for (const { at, width } of pieces(offset, count)) {
      const value = data.readUIntLE(at, width);
      if (region === REGION.config) pci.config.write(offset + at, width, value);
      else pci.write(region, offset + at, width, value);
    }
    this.options.onAccess?.();
    return payload.slice(0, 16);
  }

  private holds(region: number, offset: number, count: number): boolean {
    return offset + count <= (this.sizes[region] ?? 0);
  }
}

function version(payload: Payload): Uint8Array | undefined {
  if (payload.u16(0) !== VERSION_MAJOR) return undefined;
  const minor = Math.min(payload.u16(2), VERSION_MINOR);
  const numbers = Buffer.alloc(4);
  numbers.writeUInt16LE(VERSION_MAJOR, 0);
  numbers.writeUInt16LE(minor, 2);
  return Buffer.concat([numbers, Buffer.from(`${CAPABILITIES}\0`)]);
}

/** The accesses that a stretch is made of: naturally aligned, as wide as can be. */
function* pieces(offset: number, count: number): Generator<{ at: number; width: Width }> {
  for (let at = 0; at < count; ) {
    const width = WIDTHS.find((it) => (offset + at) % it === 0 && at + it <= count) ?? 1;
    yield { at, width };
    at += width;
  }
}
