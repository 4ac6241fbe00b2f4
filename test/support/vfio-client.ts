/** A client of vfio-user as a few calls: what QEMU sends, and what it makes of replies. */
import { createDevice, type DeviceOptions } from "../../src/device/index.ts";
import { COMMAND, fields } from "../../src/judge/vfio-user/messages.ts";
import { VfioUserServer } from "../../src/judge/vfio-user/server.ts";

const HEADER_BYTES = 16;

/** A message as a client sends it. */
export function request(command: number, payload: Uint8Array = new Uint8Array(), id = 7): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(id, 0);
  header.writeUInt16LE(command, 2);
  header.writeUInt32LE(HEADER_BYTES + payload.length, 4);
  return Buffer.concat([header, payload]);
}

export interface Reply {
  readonly id: number;
  readonly command: number;
  readonly flags: number;
  readonly error: number;
  readonly payload: Buffer;
}

export function parsed(bytes: Uint8Array): Reply {
  const all = Buffer.from(bytes);
  return {
    id: all.readUInt16LE(0),
    command: all.readUInt16LE(2),
    flags: all.readUInt32LE(8),
    error: all.readUInt32LE(12),
    payload: all.subarray(HEADER_BYTES),
  };
}

export function served(options: Partial<DeviceOptions> & { readonly vectors?: number } = {}) {
  const sent: Reply[] = [];
  const ends: string[] = [];
  const device = createDevice({
    memory: new WebAssembly.Memory({ initial: 64 }),
    ...options,
    interrupts: {
      onLine: () => server?.lineChanged(),
      ...((options.vectors ?? 0) > 0 && { onVector: (vector: number) => server?.raise(vector) }),
    },
  });
  let server: VfioUserServer | undefined;
  server = new VfioUserServer({
    wire: {
      send: (bytes) => sent.push(parsed(bytes)),
      end: (reason) => ends.push(reason),
    },
    served: () => device,
    vectors: options.vectors ?? 0,
  });
  const made = server;
  /** Sends a request; returns the reply, which comes at once. */
  const ask = (command: number, payload?: Uint8Array): Reply => {
    made.receive(request(command, payload));
    const reply = sent.filter((one) => one.command === command).at(-1);
    if (reply === undefined) throw new Error(`no reply to ${command}`);
    return reply;
  };
  const read = (region: number, offset: number, count: number): Reply =>
    ask(COMMAND.regionRead, fields(BigInt(offset), region, count));
  const write = (region: number, offset: number, bytes: readonly number[]): Reply =>
    ask(
      COMMAND.regionWrite,
      Buffer.concat([fields(BigInt(offset), region, bytes.length), Uint8Array.from(bytes)]),
    );
  return { server: made, device, sent, ends, ask, read, write };
}
