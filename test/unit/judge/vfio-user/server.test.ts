/** The server of vfio-user: what it answers a client, and that no client can make it fall. */
import { fc, it as property } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { COMMAND, fields, TRIGGER } from "../../../../src/judge/vfio-user/messages.ts";
import { VfioUserServer } from "../../../../src/judge/vfio-user/server.ts";
import { parsed, request, served } from "../../../support/vfio-client.ts";

const CONFIG = 7;
const [INVALID, NOT_SUPPORTED] = [22, 95];
const ERROR = 0x21;
/** Of DEVICE_SET_IRQS: no data or eventfds, and what to do. */
const [DATA_NONE, EVENTFD, UNMASK, TRIGGERED] = [1, 4, 16, 32];

describe("a client", () => {
  it("agrees on version 0.1, and is told how many descriptors may come at once", () => {
    const { ask } = served();
    const { payload } = ask(COMMAND.version, Buffer.from("\0\0\x03\0{}\0", "latin1"));
    expect([payload.readUInt16LE(0), payload.readUInt16LE(2)]).toEqual([0, 1]);
    expect(JSON.parse(payload.toString("utf8", 4, payload.length - 1))).toEqual({
      capabilities: { max_msg_fds: 8, max_data_xfer_size: 4096 },
    });
    expect(ask(COMMAND.version, Buffer.from([9, 0, 0, 0])).error).toBe(INVALID);
  });

  it("finds a PCI function with nine regions, five kinds of interrupts and a reset", () => {
    const { ask } = served({ vectors: 3 });
    expect([...new Uint32Array(Uint8Array.from(ask(COMMAND.getInfo).payload).buffer)]).toEqual([
      16, 3, 9, 5,
    ]);
    const region = (index: number) => ask(COMMAND.getRegionInfo, fields(32, 0, index)).payload;
    expect(region(CONFIG).readBigUInt64LE(16)).toBe(256n);
    expect(region(6).readBigUInt64LE(16)).toBe(0n);
    const irqs = [0, 1, 2, 3, 4].map((index) =>
      ask(COMMAND.getIrqInfo, fields(16, 0, index)).payload.readUInt32LE(12),
    );
    expect(irqs).toEqual([1, 0, 3, 0, 0]);
    expect(ask(COMMAND.getRegionInfo, fields(32, 0, 9)).error).toBe(INVALID);
    expect(ask(COMMAND.getIrqInfo, fields(16, 0, 5)).error).toBe(INVALID);
  });

  it("sees the sizes of BARs also when the device was pulled out", () => {
    const { ask, device, read } = served();
    const bar = device.pci.bars[0];
    if (bar === undefined) throw new Error("the device has no BAR");
    device.unplug();
    const { payload } = ask(COMMAND.getRegionInfo, fields(32, 0, bar.index));
    expect(payload.readBigUInt64LE(16)).toBe(BigInt(bar.bytes));
    expect(read(bar.index, 0, 4).payload.readUInt32LE(16)).toBe(0xffff_ffff);
  });

  it("reads all of configuration space at once, and is not judged before the guest runs", () => {
    const { device, read, server } = served();
    const { payload } = read(CONFIG, 0, 256);
    expect(payload.readUInt16LE(16)).toBe(0x1af4);
    expect(device.counters.accesses).toBe(0);
    server.guestRuns = true;
    read(CONFIG, 0, 4);
    expect(device.counters.accesses).toBe(1);
  });

  it("writes and reads registers in their own width", () => {
    const { device, read, write } = served();
    const [bar] = device.pci.bars.filter(({ kind }) => kind === "memory");
    if (bar === undefined) throw new Error("the device has no memory BAR");
    write(CONFIG, 4, [2, 0]);
    expect(device.pci.bars.some(({ decoded }) => decoded)).toBe(true);
    const before = device.counters.accesses;
    expect(read(bar.index, 0, 4).payload).toHaveLength(20);
    expect(device.counters.accesses - before).toBe(1);
  });

  it.each([
    ["a region that is none", COMMAND.regionRead, fields(0n, 9, 4), INVALID],
    ["beyond a region's end", COMMAND.regionRead, fields(255n, CONFIG, 2), INVALID],
    ["far beyond it", COMMAND.regionRead, fields(2n ** 63n, CONFIG, 2), INVALID],
    ["more bytes than it sends", COMMAND.regionWrite, fields(0n, CONFIG, 64), INVALID],
    ["too much at once", COMMAND.regionRead, fields(0n, CONFIG, 0xffff_ffff), INVALID],
    ["half a payload", COMMAND.getRegionInfo, fields(32), INVALID],
    ["a vector that is none", COMMAND.setIrqs, fields(20, EVENTFD | TRIGGERED, 2, 9, 1), INVALID],
    ["an unknown command", 99, fields(), NOT_SUPPORTED],
    ["descriptors of regions", COMMAND.getRegionIoFds, fields(32, 0, 0), NOT_SUPPORTED],
  ])("that wants %s is refused", (_what, command, payload, error) => {
    const { ask, ends } = served({ vectors: 2 });
    expect(ask(command, payload)).toMatchObject({ id: 7, flags: ERROR, error, payload: {} });
    expect(ask(command, payload).payload).toHaveLength(0);
    expect(ends).toEqual([]);
  });

  it("that wants no reply gets none", () => {
    const { server, sent } = served();
    const message = request(COMMAND.getInfo);
    message.writeUInt32LE(0x10, 8);
    server.receive(message);
    expect(sent).toEqual([]);
  });

  it.each([
    ["has no room for its header", (it: Buffer) => it.writeUInt32LE(8, 4)],
    ["is larger than any", (it: Buffer) => it.writeUInt32LE(0x100_0000, 4)],
    ["is a reply", (it: Buffer) => it.writeUInt32LE(1, 8)],
  ])("whose message %s is cut off once, and not listened to any more", (_what, spoil) => {
    const { server, sent, ends } = served();
    const message = request(COMMAND.getInfo);
    spoil(message);
    server.receive(message);
    server.receive(request(COMMAND.getInfo));
    expect(ends).toHaveLength(1);
    expect(sent).toEqual([]);
  });

  it("may send its messages in any pieces", () => {
    const { server, sent } = served();
    const stream = Buffer.concat([1, 2, 3].map((id) => request(COMMAND.getInfo, undefined, id)));
    for (const byte of stream) server.receive(Uint8Array.of(byte));
    expect(sent.map(({ id }) => id)).toEqual([1, 2, 3]);
  });
});

/** What a client of ill will may send: fields that make sense among those that do not. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 4, 7, 16, 32, 64, 255, 256, 4096, 0xffff, 0xffff_ffff),
  fc.nat({ max: 0x400 }),
);
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  fc.array(word, { maxLength: 12 }).map((words) => fields(...words)),
  fc
    .tuple(word, fc.nat({ max: 9 }), fc.nat({ max: 9 }), fc.uint8Array({ maxLength: 9 }))
    .map(([at, region, count, bytes]) => Buffer.concat([fields(BigInt(at), region, count), bytes])),
);
const message = fc
  .tuple(fc.nat({ max: 15 }), payload, fc.boolean())
  .map(([command, rest, asks]) => {
    const bytes = request(command, rest, command);
    if (!asks) bytes.writeUInt32LE(0x10, 8);
    return { bytes, asks };
  });

describe("a client of ill will", () => {
  property.prop([fc.array(message, { maxLength: 30 }), fc.constantFrom(0, 2, 128)])(
    "gets one answer to each question, and does the server no harm",
    (messages, vectors) => {
      const { server, sent, ends, ask } = served({ vectors, subject: "system" });
      server.guestRuns = true;
      for (const { bytes } of messages) server.receive(bytes);
      expect(ends).toEqual([]);
      const answers = sent.filter(({ command }) => command !== TRIGGER);
      const asked = messages.filter(({ asks }) => asks).map(({ bytes }) => bytes.readUInt16LE(2));
      // Command 0 is a trigger between relay and server; a client that sends it is refused.
      expect(answers.map(({ command }) => command)).toEqual(asked.filter((one) => one !== 0));
      for (const {
        flags,
        error,
        payload: { length },
      } of answers) {
        expect([flags, error === 0]).toEqual(flags === ERROR ? [ERROR, false] : [1, true]);
        expect(length).toBeLessThanOrEqual(16 + 4096);
      }
      expect(ask(COMMAND.getInfo).error).toBe(0);
    },
  );

  property.prop([fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 })])(
    "may send any bytes in any pieces: it is served, or cut off once",
    (pieces) => {
      const { server, sent, ends } = served();
      for (const bytes of pieces) server.receive(bytes);
      const before = sent.length;
      expect(ends.length).toBeLessThanOrEqual(1);
      if (ends.length === 0) return;
      server.receive(request(COMMAND.getInfo));
      expect(sent).toHaveLength(before);
    },
  );
});

describe("the line", () => {
  it("is told once, and again after an unmask while it is up", () => {
    const { device } = served();
    let up = false;
    let told = 0;
    const server = new VfioUserServer({
      wire: {
        send: (bytes) => {
          if (parsed(bytes).command === TRIGGER) told += 1;
        },
        end: () => {},
      },
      served: () => ({ pci: device.pci, interruptPending: up, reset: () => {} }),
      vectors: 0,
    });
    const unmask = () =>
      server.receive(request(COMMAND.setIrqs, fields(20, DATA_NONE | UNMASK, 0, 0, 1)));
    const steps: readonly (readonly [() => void, number])[] = [
      [() => server.lineChanged(), 0],
      [unmask, 0],
      [
        () => {
          up = true;
          server.lineChanged();
          server.lineChanged();
        },
        1,
      ],
      [unmask, 2],
      [
        () => {
          up = false;
          unmask();
        },
        2,
      ],
    ];
    for (const [step, expected] of steps) {
      step();
      expect(told).toBe(expected);
    }
  });

  it("and vectors go to the relay with their kind and number", () => {
    const { server, sent } = served({ vectors: 4 });
    server.raise(3);
    expect(sent).toMatchObject([{ id: 3, command: TRIGGER, error: 2 }]);
  });
});
