/**
 * The messages of vfio-user, as bytes: a header of 16 bytes and what follows it, little-endian.
 *
 *   0 id (2)   2 command (2)   4 size of all (4)   8 flags (4)   12 error number (4)   16 ...
 *
 * A client is not trusted: a reader bounds what it keeps, and a payload is read within its bounds.
 */

export const HEADER_BYTES = 16;

/** The largest message that is taken; the relay has the same limit. A guest's are far smaller. */
export const MESSAGE_BYTES_MAX = 65_536;

/** The commands that a client sends. */
export const COMMAND = {
  version: 1,
  dmaMap: 2,
  dmaUnmap: 3,
  getInfo: 4,
  getRegionInfo: 5,
  getRegionIoFds: 6,
  getIrqInfo: 7,
  setIrqs: 8,
  regionRead: 9,
  regionWrite: 10,
  reset: 13,
} as const;

/** What the relay takes for itself: an interrupt to trigger. */
export const TRIGGER = 0;

/** Error numbers of Linux, as replies carry them. */
export const ERRNO = { invalid: 22, notSupported: 95 } as const;

const FLAG_REPLY = 1;
const FLAG_NO_REPLY = 0x10;
const FLAG_ERROR = 0x20;
const TYPE_MASK = 0xf;

/** A message of the client. */
export interface Message {
  readonly id: number;
  readonly command: number;
  /** False when the client does not wait for a reply. */
  readonly wantsReply: boolean;
  readonly payload: Payload;
}

/** The client broke the protocol: the connection cannot go on. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** What follows a header. Reading beyond its end is an error of the client's. */
export class Payload {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws ShortPayload */
  u16(at: number): number {
    return this.view.getUint16(this.within(at, 2), true);
  }

  /** @throws ShortPayload */
  u32(at: number): number {
    return this.view.getUint32(this.within(at, 4), true);
  }

  /** Returns 64 bits as a number; beyond 2^53 it is no exact one. @throws ShortPayload */
  u64(at: number): number {
    return Number(this.view.getBigUint64(this.within(at, 8), true));
  }

  /** @throws ShortPayload */
  slice(at: number, count: number): Uint8Array {
    const from = this.within(at, count);
    return this.bytes.subarray(from, from + count);
  }

  private within(at: number, count: number): number {
    if (at + count <= this.bytes.length) return at;
    throw new ShortPayload();
  }
}

/** A message is shorter than what it says of itself. */
export class ShortPayload extends Error {
  override readonly name = "ShortPayload";
}

/** Cuts a stream of bytes into messages. */
export class MessageReader {
  private kept: Buffer = Buffer.alloc(0);

  /** Returns the messages that these bytes complete. @throws ProtocolError */
  push(bytes: Uint8Array): Message[] {
    this.kept = this.kept.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.kept, bytes]);
    const messages: Message[] = [];
    while (this.kept.length >= HEADER_BYTES) {
      const size = this.kept.readUInt32LE(4);
      if (size < HEADER_BYTES || size > MESSAGE_BYTES_MAX) {
        throw new ProtocolError(`a message of ${size} bytes`);
      }
      if (this.kept.length < size) break;
      messages.push(message(this.kept.subarray(0, size)));
      this.kept = this.kept.subarray(size);
    }
    return messages;
  }
}

function message(bytes: Buffer): Message {
  const flags = bytes.readUInt32LE(8);
  if ((flags & TYPE_MASK) !== 0) throw new ProtocolError("a reply, and nothing was asked");
  return {
    id: bytes.readUInt16LE(0),
    command: bytes.readUInt16LE(2),
    wantsReply: (flags & FLAG_NO_REPLY) === 0,
    payload: new Payload(Uint8Array.from(bytes.subarray(HEADER_BYTES))),
  };
}

/** Returns the reply to a message. */
export function reply({ id, command }: Message, payload: Uint8Array): Uint8Array {
  return framed({ id, command, flags: FLAG_REPLY, error: 0 }, payload);
}

/** Returns the reply to a message that was refused. */
export function refusal({ id, command }: Message, error: number): Uint8Array {
  return framed({ id, command, flags: FLAG_REPLY | FLAG_ERROR, error }, new Uint8Array());
}

/** Returns the message by which the relay triggers an interrupt. */
export function trigger(kind: number, vector: number): Uint8Array {
  return framed({ id: vector, command: TRIGGER, flags: 0, error: kind }, new Uint8Array());
}

/** Returns 32-bit and 64-bit (bigint) fields, one after the other. */
export function fields(...values: readonly (number | bigint)[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(typeof value === "bigint" ? 8 : 4);
      if (typeof value === "bigint") bytes.writeBigUInt64LE(value);
      else bytes.writeUInt32LE(value);
      return bytes;
    }),
  );
}

interface Header {
  readonly id: number;
  readonly command: number;
  readonly flags: number;
  readonly error: number;
}

function framed({ id, command, flags, error }: Header, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUInt16LE(id, 0);
  bytes.writeUInt16LE(command, 2);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(error, 12);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}
