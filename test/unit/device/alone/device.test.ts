/** The device without a machine around it. */
import { describe, expect, it, vi } from "vitest";
import { createDevice, createMachine, formatVerdict } from "../../../../src/device/index.ts";
import { broken, FIRST_FRAME, FRAMES, frames, RawDriver } from "../drivers/raw-driver.ts";
import { aloneRig, halOf, placeBars } from "./board.ts";

const memoryOf = () => new WebAssembly.Memory({ initial: (FRAMES * 4096) / 65536 });

describe("the PCI function alone", () => {
  it("serves a driver without a verdict, as the machine does", () => {
    const driver = aloneRig().bringUp();
    driver.machine.setTarget(4);
    driver.interrupt();
    driver.readTarget();
    driver.move("inflate", frames(4));
    expect(driver.machine.check().map(formatVerdict)).toEqual([]);
    expect(driver.machine.heldPages).toBe(4);
  });

  it("shows its BARs unplaced and not decoded, and then where the guest has put them", () => {
    const onMapping = vi.fn();
    const device = createDevice({ memory: memoryOf(), onMapping });
    expect(device.pci.bars).toEqual([
      { index: 0, kind: "io", bytes: 0x100, address: 0, decoded: false },
      { index: 1, kind: "memory", bytes: 0x1000, address: 0, decoded: false },
      { index: 4, kind: "memory", bytes: 0x4000, address: 0, decoded: false },
    ]);
    device.pci.config.write(0x14, 4, 0xffff_ffff);
    expect(device.pci.config.read(0x14, 4)).toBe(0xffff_f000);
    device.pci.config.write(0x14, 4, 0xe000_0000);
    device.pci.config.write(4, 2, 2);
    expect(device.pci.bars[1]).toMatchObject({ address: 0xe000_0000, decoded: true });
    expect(device.pci.bars[0]).toMatchObject({ decoded: false });
    expect(onMapping).toHaveBeenCalledTimes(3);
    device.pci.config.write(0x3c, 1, 11);
    expect(onMapping).toHaveBeenCalledTimes(3);
  });

  it("is looked at without judging, and without time passing", () => {
    const { machine } = aloneRig();
    const before = machine.nowMs;
    expect(machine.pci.config.peek(0, 4)).toBe(0x1045_1af4);
    for (let at = 0; at < 256; at += 4) machine.pci.config.peek(at, 4);
    expect(machine.pci.config.peek(256, 4)).toBe(0);
    expect(machine.nowMs).toBe(before);
    expect(machine.verdicts).toEqual([]);
  });

  it("refuses a BAR that it does not have, and the registers of another transport", () => {
    const { machine } = aloneRig();
    expect(() => machine.pci.read(2, 0, 4)).toThrow("bar: seen 2; do name one of 0, 1, 4");
    expect(() => machine.mmio).toThrow("transport: seen modern");
  });

  it("raises the line as a level, and lowers it when the ISR is read", () => {
    const levels: boolean[] = [];
    const driver = aloneRig({ interrupts: { onLine: (up) => levels.push(up) } }).bringUp();
    driver.machine.setTarget(4);
    driver.machine.setTarget(5);
    expect(levels).toEqual([true]);
    driver.interrupt();
    expect(levels).toEqual([true, false]);
    driver.machine.setTarget(6);
    driver.configWrite(4, 2, 0x407);
    expect(levels).toEqual([true, false, true, false]);
    driver.configWrite(4, 2, 7);
    driver.machine.reset();
    expect(levels).toEqual([true, false, true, false, true, false]);
  });

  it("is as new after a platform reset: BARs unplaced, the driver has to reset it again", () => {
    const driver = aloneRig().bringUp();
    driver.move("inflate", frames(4));
    driver.machine.reset();
    expect(driver.machine.heldPages).toBe(0);
    expect(driver.machine.pci.bars[1]).toMatchObject({ address: 0, decoded: false });
    placeBars(driver.machine);
    driver.configWrite(4, 2, 7);
    driver.set("status", 1);
    expect(broken(driver.machine)).toEqual(["G-RESET-FIRST"]);
  });

  it("is gone when it is taken out: reads give ones, and no BAR is there", () => {
    const driver = aloneRig().bringUp();
    driver.machine.unplug();
    expect(driver.machine.pci.config.read(0, 4)).toBe(0xffff_ffff);
    expect(driver.machine.pci.bars).toEqual([]);
    driver.machine.plug();
    expect(driver.machine.pci.config.read(0, 4)).toBe(0x1045_1af4);
  });

  it("moves to another device with its guest", () => {
    const driver = aloneRig().bringUp();
    driver.move("inflate", frames(4));
    const other = createDevice({ memory: driver.memory, incoming: driver.machine.save() });
    expect(other.heldPages).toBe(4);
    expect(other.pci.bars).toEqual(driver.machine.pci.bars);
  });
});

describe("its messages", () => {
  const send = (options: Parameters<typeof aloneRig>[0]) => {
    const driver = aloneRig({ vectors: 2, ...options });
    driver.discover();
    const { config } = driver.machine.pci;
    const table = driver.machine.pci.bars.at(-1)?.index ?? 0;
    return { driver, config, table };
  };

  it("are those that the guest chose, and no breach", () => {
    const messages: number[][] = [];
    const { driver, config, table } = send({
      interrupts: { onMessage: (address, data) => messages.push([address, data]) },
    });
    const msix = config.peek(0x34, 1);
    config.write(msix + 2, 2, 0x8000);
    for (const [at, value] of [0xfee0_1000, 0, 0x41, 0].entries()) {
      driver.machine.pci.write(table, at * 4, 4, value);
    }
    driver.reset();
    driver.negotiate();
    driver.set("configVector", 0);
    driver.get("configVector");
    driver.setUpQueues();
    driver.start();
    driver.machine.setTarget(7);
    expect(messages).toEqual([[0xfee0_1000, 0x41]]);
    expect(broken(driver.machine)).toEqual([]);
  });

  it("are vectors where the table is elsewhere", () => {
    const vectors: number[] = [];
    const { driver, config } = send({ interrupts: { onVector: (one) => vectors.push(one) } });
    config.write(config.peek(0x34, 1) + 2, 2, 0x8000);
    driver.reset();
    driver.negotiate();
    driver.set("configVector", 1);
    driver.get("configVector");
    driver.setUpQueues();
    driver.start();
    driver.machine.setTarget(7);
    expect(vectors).toEqual([1]);
    expect(broken(driver.machine)).toEqual([]);
  });
});

describe("memory-mapped registers alone", () => {
  it("answer by their offset", () => {
    const { mmio } = createDevice({ memory: memoryOf(), transport: "mmio" });
    expect(mmio.read(0, 4)).toBe(0x7472_6976);
    expect(mmio.read(4, 4)).toBe(2);
    expect(mmio.read(8, 4)).toBe(5);
    expect(mmio.bytes).toBe(0x200);
  });

  it("judges a driver that writes before it knows the device", () => {
    const device = createDevice({ memory: memoryOf(), transport: "mmio" });
    device.mmio.write(0x70, 4, 0);
    expect(broken(device)).toEqual(["M-IDENTITY"]);
    expect(() => device.pci).toThrow("transport: seen mmio");
  });
});

describe("guest memory", () => {
  it("may begin inside a buffer, and its owner is told of each write", () => {
    const memory = memoryOf();
    const wrote: [number, number][] = [];
    const whole = new ArrayBuffer(4096 + memory.buffer.byteLength);
    const place = { buffer: whole, byteOffset: 4096, byteLength: memory.buffer.byteLength };
    const device = createDevice({
      memory: { ...place, wrote: (address, bytes) => wrote.push([address, bytes]) },
    });
    placeBars(device);
    const inside = { buffer: whole.slice(4096) } as WebAssembly.Memory;
    const driver = new RawDriver(Object.assign(device, { hal: halOf(device) }), inside);
    Object.defineProperty(driver, "view", { get: () => new DataView(whole, 4096) });
    driver.bringUp();
    driver.move("inflate", frames(1));
    expect(device.heldPages).toBe(1);
    expect(wrote).toContainEqual([FIRST_FRAME * 4096, 4096]);
    expect(new Uint8Array(whole, 0, 4096).every((byte) => byte === 0)).toBe(true);
  });

  it("may be an interface instead of a buffer, and a check reads each held page once", () => {
    const memory = memoryOf();
    const bytes = () => new Uint8Array(memory.buffer);
    let pagesRead = 0;
    const device = createDevice({
      memory: {
        bytes: FRAMES * 4096,
        read: (address, into) => {
          if (into.length === 4096) pagesRead += 1;
          into.set(bytes().subarray(address, address + into.length));
        },
        write: (address, from) => bytes().set(from, address),
      },
    });
    placeBars(device);
    const driver = new RawDriver(Object.assign(device, { hal: halOf(device) }), memory).bringUp();
    driver.move("inflate", frames(8));
    pagesRead = 0;
    device.check({ memoryShort: true });
    expect(pagesRead).toBe(8);
    driver.view.setUint8(FIRST_FRAME * 4096 + 5, 1);
    device.audit();
    expect(device.heldPages).toBe(8);
    expect(broken(device)).toEqual(["D10"]);
  });

  it("may have a hole, in which no page is", () => {
    const low = memoryOf();
    const high = memoryOf();
    const regions = [
      { address: 0x1_0000_0000, memory: high },
      { address: 0, memory: low },
    ];
    const device = createDevice({ memory: { regions } });
    placeBars(device);
    const driver = new RawDriver(Object.assign(device, { hal: halOf(device) }), low).bringUp();
    driver.move("inflate", [FIRST_FRAME, 0x10_0003]);
    expect(device.heldPages).toBe(2);
    new DataView(high.buffer).setUint8(3 * 4096, 1);
    device.audit();
    expect(broken(device)).toEqual(["D10"]);
    driver.move("inflate", [0x8_0000]);
    expect(device.heldPages).toBe(2);
    expect(broken(device)).toContain("Q-PFN-RANGE");
  });

  it("refuses regions that lie on each other, and memory that no double can lie on", () => {
    const regions = [
      { address: 0, memory: memoryOf() },
      { address: 4096, memory: memoryOf() },
    ];
    expect(() => createMachine({ memory: { regions } })).toThrow("a region at 0x1000");
    const odd = { buffer: new ArrayBuffer(65536), byteOffset: 4 };
    expect(() => createDevice({ memory: odd })).toThrow("byteOffset 4");
  });
});

describe("with judging off", () => {
  it("is a plain device: no verdict, no trace, no page overwritten", () => {
    const driver = aloneRig({ judging: false }).bringUp();
    driver.move("inflate", [...frames(2), ...frames(1, FIRST_FRAME)]);
    driver.set("queueEnable", 0);
    driver.machine.check();
    expect(driver.machine.heldPages).toBe(2);
    expect(driver.machine.verdicts).toEqual([]);
    expect(driver.machine.trace.entries()).toEqual([]);
    expect(new Uint8Array(driver.memory.buffer, FIRST_FRAME * 4096, 8192).some(Boolean)).toBe(
      false,
    );
  });
});
