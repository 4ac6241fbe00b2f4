/** The chipset's events and slots: found where they are, touched nowhere else. */
import { describe, expect, it } from "vitest";
import { portConfigAccess } from "../../../runtime/pci/config.ts";
import { enumeratePci } from "../../../runtime/pci/enumerate.ts";
import { findQemuAcpiEvents } from "../../../runtime/pci/qemu-acpi-events.ts";
import { FakeConfigSpace, FakeFunction } from "./config-space.ts";

const QEMU = 0x1100_1af4;

interface Chipset {
  readonly deviceId: number;
  readonly subsystem?: number;
  readonly pmBase?: number;
  /** What the ports hold; an access to any other one throws. */
  readonly ports: Readonly<Record<number, number>>;
}

const PIIX4: Chipset = {
  deviceId: 0x7113,
  pmBase: 0x601,
  ports: { 1536: 0, 1538: 0x20, 45024: 0, 45026: 1, 44552: 0 },
};
const ICH9: Chipset = {
  deviceId: 0x2918,
  pmBase: 0x601,
  ports: { 1536: 0, 1538: 0, 1568: 0, 1576: 0, 3272: 0 },
};

function find({ deviceId, subsystem = QEMU, pmBase = 0, ports }: Chipset) {
  const space = new FakeConfigSpace();
  space.add("00:00.0", new FakeFunction(0x8086, 0x1237));
  const chipset = new FakeFunction(0x8086, deviceId).set(0x2c, 4, subsystem);
  space.add("00:1f.0", chipset.set(0x40, 4, pmBase));
  const held = new Map(Object.entries(ports).map(([port, value]) => [Number(port), value]));
  const log: string[] = [];
  space.otherPorts = {
    portRead: (port, width) => {
      const value = held.get(port);
      if (value === undefined) throw new Error(`read of port ${port.toString(16)}`);
      log.push(`${port.toString(16)}/${width}`);
      return value;
    },
    portWrite: (port, width, value) => {
      log.push(`${port.toString(16)}/${width}=${value.toString(16)}`);
      if (held.has(port)) held.set(port, value);
    },
  };
  const config = portConfigAccess(space.hal);
  const events = findQemuAcpiEvents({
    hal: space.hal,
    config,
    functions: enumeratePci({ config }),
  });
  return { events, held, log };
}

const CHIPSETS = [
  { name: "PIIX4", chipset: PIIX4, gpe: 0xafe0, enable: 0xafe2, slots: 0xae00 },
  { name: "ICH9", chipset: ICH9, gpe: 0x620, enable: 0x628, slots: 0xcc0 },
] as const;

describe.each(CHIPSETS)("$name", ({ chipset, gpe, enable, slots }) => {
  it("is asked to tell of both events, and keeps what it told of before", () => {
    const { events, held } = find(chipset);
    const before = held.get(enable) ?? 0;
    const button = held.get(0x602) ?? 0;
    events?.listen();
    expect(held.get(enable)).toBe(before | 2);
    expect(held.get(0x602)).toBe(button | 0x100);
  });

  it("tells of each event once, and of nothing else", () => {
    const { events, held, log } = find(chipset);
    const took = () => {
      log.length = 0;
      const event = events?.take();
      return [event, log.filter((line) => line.includes("="))];
    };
    expect(took()).toEqual([{ powerButton: false, hotplug: false }, []]);
    held.set(0x600, 0x8331).set(gpe, 0xff);
    expect(took()).toEqual([
      { powerButton: true, hotplug: true },
      ["600/2=100", `${gpe.toString(16)}/1=2`],
    ]);
    held.set(0x600, 1).set(gpe, 0xfd);
    expect(took()).toEqual([{ powerButton: false, hotplug: false }, []]);
  });

  it("shows the slots that the host wants back, and lets go of one at a time", () => {
    const { events, held, log } = find(chipset);
    const wanted = new Map([
      [0, 0x8000_0010],
      [7, 1],
    ]);
    const selected = () => held.get(slots + 0x10) ?? -1;
    held.set(slots + 0x10, 0);
    Object.defineProperty(held, "get", {
      value: (port: number) =>
        port === slots + 4 ? (wanted.get(selected()) ?? 0) : Map.prototype.get.call(held, port),
    });
    expect(events?.hotplug?.ejectRequests()).toEqual([
      { bus: 0, device: 4 },
      { bus: 0, device: 31 },
      { bus: 7, device: 0 },
    ]);
    log.length = 0;
    events?.hotplug?.eject({ bus: 0, device: 31 });
    const at = (offset: number) => (slots + offset).toString(16);
    expect(log).toEqual([`${at(0x10)}/4=0`, `${at(8)}/4=80000000`]);
  });

  it("has no slots where their registers read as ones", () => {
    const { events } = find({
      ...chipset,
      ports: { ...chipset.ports, [slots + 8]: 0xffff_ffff },
    });
    expect(events).toBeDefined();
    expect(events?.hotplug).toBeUndefined();
  });

  it.each([
    ["of another maker's subsystem", { subsystem: 0x1234_1028 }],
    ["without subsystem", { subsystem: 0 }],
    ["without ports", { pmBase: 1 }],
    ["that is another function", { deviceId: 0x7010 }],
  ])("%s: no port is touched", (_what, changes) => {
    expect(find({ ...chipset, ...changes, ports: {} }).events).toBeUndefined();
  });

  it("whose ports nobody answers is not used", () => {
    expect(find({ ...chipset, ports: { 1536: 0xffff } }).events).toBeUndefined();
  });
});
