/** Enumeration over a strict configuration space: bridges, functions, decoys, broken hosts. */
import { describe, expect, it } from "vitest";
import {
  formatPciAddress,
  type PciConfigAccess,
  portConfigAccess,
} from "../../../runtime/pci/config.ts";
import { enumeratePci, matchPci, PCI_FUNCTIONS_MAX } from "../../../runtime/pci/enumerate.ts";
import { FakeConfigSpace, FakeFunction } from "./config-space.ts";

const VIRTIO = 0x1af4;

function scan(space: FakeConfigSpace) {
  return enumeratePci({ config: portConfigAccess(space.hal) });
}

describe("enumeratePci", () => {
  it("finds nothing on an empty bus, with one look at each slot", () => {
    const space = new FakeConfigSpace();
    expect(scan(space)).toEqual([]);
    expect(space.accesses).toHaveLength(32);
  });

  it("reads the header with each field's own width", () => {
    const space = new FakeConfigSpace();
    space.add("00:0b.0", new FakeFunction(VIRTIO, 0x1045).set(0x08, 1, 7).set(0x09, 1, 0xee));
    expect(scan(space)).toEqual([
      {
        address: { bus: 0, device: 0x0b, function: 0 },
        vendorId: VIRTIO,
        deviceId: 0x1045,
        revision: 7,
        headerLayout: 0,
      },
    ]);
    expect(space.accesses.every(({ offset, width }) => offset % width === 0)).toBe(true);
  });

  it("looks at functions 1 to 7 exactly when function 0 says so", () => {
    const space = new FakeConfigSpace();
    space.add("00:03.0", new FakeFunction(0x8086, 1));
    space.add("00:03.7", new FakeFunction(VIRTIO, 0x1045));
    expect(scan(space)).toHaveLength(1);
    space.functions.get("00:03.0")?.multiFunction();
    expect(scan(space).map(({ address }) => formatPciAddress(address))).toEqual([
      "00:03.0",
      "00:03.7",
    ]);
  });

  it("takes a vendor id of zero for silence", () => {
    const space = new FakeConfigSpace();
    space.add("00:02.0", new FakeFunction(0, 0x1045));
    expect(scan(space)).toEqual([]);
  });

  it("follows bridges, also behind a function other than 0, and each bus once", () => {
    const space = new FakeConfigSpace();
    space.add("00:01.0", new FakeFunction(0x8086, 1).multiFunction());
    space.add("00:01.3", new FakeFunction(0x8086, 2).bridgeTo(5));
    space.add("00:02.0", new FakeFunction(0x8086, 2).bridgeTo(5));
    space.add("05:00.0", new FakeFunction(0x8086, 2).bridgeTo(9));
    space.add("09:1f.0", new FakeFunction(VIRTIO, 0x1002));
    expect(scan(space).map(({ address }) => formatPciAddress(address))).toEqual([
      "00:01.0",
      "00:01.3",
      "00:02.0",
      "05:00.0",
      "09:1f.0",
    ]);
  });

  it("lists a bridge without a bus number and does not enter it, nor one that leads back", () => {
    const space = new FakeConfigSpace();
    space.add("00:01.0", new FakeFunction(0x8086, 2).bridgeTo(0));
    space.add("00:02.0", new FakeFunction(0x8086, 2).bridgeTo(1));
    space.add("01:00.0", new FakeFunction(0x8086, 2).bridgeTo(1));
    space.add("01:01.0", new FakeFunction(0x8086, 2).bridgeTo(0));
    expect(scan(space).map(({ secondaryBus }) => secondaryBus)).toEqual([0, 1, 1, 0]);
  });

  it("does not believe a bridge that leads to a lower bus", () => {
    const space = new FakeConfigSpace();
    space.add("00:02.0", new FakeFunction(0x8086, 2).bridgeTo(5));
    space.add("05:00.0", new FakeFunction(0x8086, 2).bridgeTo(3));
    space.add("03:00.0", new FakeFunction(VIRTIO, 0x1045));
    expect(scan(space)).toHaveLength(2);
  });

  it("starts from other root buses when told", () => {
    const space = new FakeConfigSpace();
    space.add("40:00.0", new FakeFunction(VIRTIO, 0x1045));
    const config = portConfigAccess(space.hal);
    expect(enumeratePci({ config })).toHaveLength(0);
    expect(enumeratePci({ config, rootBuses: [0, 0x40] })).toHaveLength(1);
  });

  it("gives up on a configuration space that answers everywhere", () => {
    const everywhere: PciConfigAccess = {
      length: 256,
      // A bridge to the next bus, in every function of every device.
      read: ({ bus }, offset) => ({ 0: 0x8086, 14: 0x81, 25: bus + 1 })[offset] ?? 1,
      write: () => {
        throw new Error("enumeration writes nothing");
      },
    };
    expect(() => enumeratePci({ config: everywhere })).toThrow(`${PCI_FUNCTIONS_MAX} functions`);
  });

  it("matches by vendor and device id, whatever the class", () => {
    const space = new FakeConfigSpace();
    space.add("00:01.0", new FakeFunction(VIRTIO, 0x1005));
    space.add("00:02.0", new FakeFunction(0x8086, 0x1045));
    space.add("00:03.0", new FakeFunction(VIRTIO, 0x1045).set(0x0b, 1, 0xff));
    space.add("00:04.0", new FakeFunction(VIRTIO, 0x1002).set(0x0b, 1, 0x05));
    const found = matchPci(scan(space), VIRTIO, [0x1045, 0x1002]);
    expect(found.map(({ address }) => address.device)).toEqual([3, 4]);
  });
});

describe("portConfigAccess", () => {
  it("reaches the wanted bytes with the wanted width", () => {
    const space = new FakeConfigSpace();
    const fake = space.add("ff:1f.7", new FakeFunction(0x1234, 0x5678));
    fake.set(0xfc, 4, 0xdead_beef);
    const config = portConfigAccess(space.hal);
    const address = { bus: 255, device: 31, function: 7 };
    expect(config.read(address, 0xfc, 4)).toBe(0xdead_beef);
    expect(config.read(address, 0xfe, 2)).toBe(0xdead);
    expect(config.read(address, 0xff, 1)).toBe(0xde);
    config.write(address, 0xfd, 1, 0x11);
    config.write(address, 0xfe, 2, 0x2233);
    expect(fake.get(0xfc, 4)).toBe(0x2233_11ef);
  });

  it("refuses what leaves the space or is not aligned", () => {
    const config = portConfigAccess(new FakeConfigSpace().hal);
    const address = { bus: 0, device: 0, function: 0 };
    for (const [offset, width] of [
      [0x101, 1],
      [0x100, 4],
      [0x02, 4],
      [0x01, 2],
      [-4, 4],
    ] as const) {
      expect(() => config.read(address, offset, width)).toThrow("naturally aligned");
    }
    expect(() => config.read({ bus: 0, device: 32, function: 0 }, 0, 2)).toThrow("seen offset");
  });
});
