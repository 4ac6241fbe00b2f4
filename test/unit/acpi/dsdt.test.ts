/** Devices in a DSDT, as hosts write them, and tables that make no sense. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAml } from "../../../runtime/acpi/aml.ts";
import { readDsdt } from "../../../runtime/acpi/dsdt.ts";
import { readResources } from "../../../runtime/acpi/resources.ts";
import {
  ascii,
  type Bytes,
  buffer,
  DSDT,
  device,
  dword,
  END,
  fixedMemory,
  interrupt,
  le,
  list,
  machine,
  method,
  name,
  RSDP,
  RSDT,
  scope,
  sized,
  text,
} from "../../support/aml-bytes.ts";

const LEVEL_HIGH = 1;
const EDGE_LOW = 7;

const VIRTIO = device(
  "VR07",
  name("_HID", ...text("LNRO0005")),
  name("_UID", 0x0a, 7),
  name("_CRS", ...buffer([...fixedMemory(0xfeb00e00, 512), ...interrupt(LEVEL_HIGH, 23), ...END])),
);

/** An address space of 8-byte numbers: its kind, first address and length. */
const space = (kind: number, start: number, bytes: number): Bytes => [
  ...[0x8a, 43, 0, kind, 12, 1],
  ...[0, start, start + bytes - 1, 0, bytes].flatMap((value) => le(value, 8)),
];
const BRIDGE = device(
  "PCI0",
  name("_HID", ...dword(0x080ad041)),
  name("_BBN", 0x0a, 0x80),
  name(
    "_PRT",
    ...list(
      list(dword(0x2ffff), [0x0a, 3], ascii("LNKA"), [0]),
      list(dword(0x3ffff), [0], [0], [0x0a, 20]),
      list(dword(0x4ffff), [0], ascii("NONE"), [0]),
    ),
  ),
  method("_CBA", 0xa4, ...dword(0xe0000000)),
  // What computes something is passed over.
  method("_OSC", 0x8a, 0x6b, 0, ...ascii("CDW1")),
  name(
    "_CRS",
    ...buffer([
      ...space(2, 0x80, 0x40),
      ...space(1, 0xc000, 0x1000),
      ...space(0, 0xc0000000, 0x20000000),
      ...END,
    ]),
  ),
);
const LINK = device(
  "LNKA",
  name("_HID", ...dword(0x0f0cd041)),
  name("_CRS", ...buffer([...interrupt(EDGE_LOW, 18), ...END])),
);

describe("readDsdt", () => {
  it("finds virtio devices with their interrupt", () => {
    const found = readDsdt({ hal: machine(scope(VIRTIO)) });
    const input = { number: 23, isLevel: true, isActiveLow: false };
    expect(found).toEqual({
      mmio: [{ base: 0xfeb00e00, size: 512, input }],
      hostBridges: [],
    });
  });

  it("finds a host bridge with its space and its wires", () => {
    const { hostBridges } = readDsdt({ hal: machine(scope(BRIDGE, LINK)) }) ?? {};
    expect(hostBridges).toEqual([
      {
        firstBus: 0x80,
        lastBus: 0xbf,
        ecamBase: 0xe0000000,
        io: [{ start: 0xc000, end: 0xd000 }],
        memory: [{ start: 0xc0000000, end: 0xe0000000 }],
        routes: [
          { device: 2, pin: 4, input: { number: 18, isLevel: false, isActiveLow: true } },
          { device: 3, pin: 1, input: { number: 20, isLevel: true, isActiveLow: true } },
        ],
      },
    ]);
  });

  it("takes what a scope elsewhere adds to a bridge", () => {
    const crs = name("_CRS", ...buffer([...space(0, 0xc0000000, 0x1000), ...END]));
    const bridge = (id: string) => device(id, name("_HID", ...dword(0x080ad041)));
    const added = (path: Bytes) => [0x10, ...sized([...path, ...crs])];
    const path = [0x5c, 0x2e, ...ascii("_SB_PCI1")];
    const ours = [...scope(bridge("PCI0"), bridge("PCI1")), ...added(path)];
    const parent = [...ascii("^"), ...ascii("PCI0")];
    const other = scope(device("OTHR", added(parent)));
    const { hostBridges } = readDsdt({ hal: machine([...ours, ...other]) }) ?? {};
    const memory = [{ start: 0xc0000000, end: 0xc0001000 }];
    expect(hostBridges?.map((it) => it.memory)).toEqual([memory, memory]);
  });

  it("leaves out the bridges of other segments, whose buses have the same numbers", () => {
    const bridge = (segment: number) =>
      device("PC00", name("_HID", ...dword(0x080ad041)), name("_SEG", 0x0a, segment));
    const found = readDsdt({ hal: machine(scope(bridge(1), bridge(0), bridge(2))) });
    expect(found?.hostBridges).toHaveLength(1);
  });

  it("knows nothing of a machine without tables, or whose root is elsewhere", () => {
    const hal = machine(scope(VIRTIO));
    expect(readDsdt({ hal, acpiRoot: 0 })).toBeUndefined();
    expect(readDsdt({ hal, acpiRoot: RSDT })).toBeUndefined();
    expect(readDsdt({ hal, acpiRoot: RSDP })?.mmio).toHaveLength(1);
    expect(readDsdt({ hal, memoryEnd: DSDT + 36 })).toBeUndefined();
  });
});

describe("readResources", () => {
  it("leaves out what no exact number can say", () => {
    const beyond = [...new Array<number>(7).fill(0xff), 0x7f];
    const template = [
      ...[0x8a, 43, 0, 0, 12, 1],
      ...[0, 0, 0, 0, 0, 0, 0, 0, ...beyond, ...beyond, 0, 0, 0, 0, 0, 0, 0, 0],
      ...[1, 0, 0, 0, 0, 0, 0, 0],
      ...fixedMemory(0x1000, 0x1000),
      ...END,
    ];
    const { memory } = readResources(Uint8Array.from(template));
    expect(memory).toEqual([{ start: 0x1000, end: 0x2000 }]);
  });
});

describe("readAml", () => {
  it("keeps what stands before something that it does not understand", () => {
    const strange = [0x70, 0x0a, 1, 0x60];
    const body = scope(VIRTIO, device("ODD_", name("_UID", 1), strange, name("_STA", 1)), LINK);
    const { devices } = readAml(Uint8Array.from([...body, ...strange, ...scope(VIRTIO)]));
    expect(devices.map((it) => it.name)).toEqual(["VR07", "ODD_", "LNKA"]);
    expect([...(devices[1]?.values ?? [])]).toEqual([["_UID", 1]]);
  });

  it("ends at any depth", () => {
    let nested: Bytes = name("_UID", 0);
    for (let depth = 0; depth < 100; depth++) nested = device("DEEP", nested);
    expect(readAml(Uint8Array.from(nested)).devices.length).toBeLessThan(20);
  });

  it("ends with any bytes, and so do resources", () => {
    const whole = Uint8Array.from(scope(VIRTIO, BRIDGE, LINK));
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) }), { minLength: 1 }),
        fc.uint8Array({ maxLength: 200 }),
        (changes, noise) => {
          const broken = whole.slice();
          for (const { at, byte } of changes) broken[at] = byte;
          for (const bytes of [broken, noise]) {
            const values = readAml(bytes).devices.flatMap((it) => [...it.values.values()]);
            for (const value of values) if (value instanceof Uint8Array) readResources(value);
            const all = readResources(bytes);
            expect([...all.memory, ...all.io, ...all.buses].every((it) => it.end > it.start)).toBe(
              true,
            );
          }
          readDsdt({ hal: machine([...broken]) });
        },
      ),
      { numRuns: 300 },
    );
  });
});
