/** Which line a function pulls: as firmware says, or as the wires go. */
import { describe, expect, it } from "vitest";
import { type PciAddress, portConfigAccess } from "../../../runtime/pci/config.ts";
import { enumeratePci } from "../../../runtime/pci/enumerate.ts";
import { intxLineOf } from "../../../runtime/pci/intx-routing.ts";
import { FakeConfigSpace, FakeFunction } from "./config-space.ts";

function pulling(pin: number, line = 0): FakeFunction {
  return new FakeFunction(0x1af4, 0x1045).set(0x3d, 1, pin).set(0x3c, 1, line);
}

function port(secondary: number, pin = 1, line = 0): FakeFunction {
  return new FakeFunction(0x1b36, 0x000c).bridgeTo(secondary).set(0x3d, 1, pin).set(0x3c, 1, line);
}

const piix = () => new FakeFunction(0x8086, 0x7000).set(0x60, 4, 0x0b0b_0a0a);

function lineOf(functions: Readonly<Record<string, FakeFunction>>, address: PciAddress) {
  const space = new FakeConfigSpace();
  for (const [at, fake] of Object.entries(functions)) space.add(at, fake);
  const config = portConfigAccess(space.hal);
  return intxLineOf({ hal: space.hal, config, functions: enumeratePci({ config }), address });
}

const at = (bus: number, device: number): PciAddress => ({ bus, device, function: 0 });

describe("the line of a function", () => {
  it("is what firmware wrote down", () => {
    expect(lineOf({ "00:03.0": pulling(1, 5) }, at(0, 3))).toBe(5);
  });

  it("is none without a pin", () => {
    expect(lineOf({ "00:01.0": piix(), "00:03.0": pulling(0, 5) }, at(0, 3))).toBeUndefined();
  });

  it.each([
    [2, 1, 10],
    [2, 2, 11],
    [3, 1, 11],
    [5, 1, 10],
    [4, 2, 10],
  ])("on a PIIX bus is the route of device %i, pin %i: %i", (device, pin, line) => {
    const name = `00:0${device}.0`;
    expect(lineOf({ "00:01.0": piix(), [name]: pulling(pin) }, at(0, device))).toBe(line);
  });

  it("behind a port is that of the port's place, where firmware routed that", () => {
    const functions = { "00:04.0": port(1, 1, 10), "01:00.0": pulling(1) };
    expect(lineOf(functions, at(1, 0))).toBe(10);
  });

  it("behind a port is not that of another pin", () => {
    const functions = { "00:04.0": port(1, 1, 10), "01:00.0": pulling(2) };
    expect(lineOf(functions, at(1, 0))).toBeUndefined();
    expect(lineOf({ ...functions, "00:01.0": piix() }, at(1, 0))).toBe(10);
  });

  it("turns by the device number at each bridge", () => {
    const functions = {
      "00:01.0": piix(),
      "00:02.0": port(1, 0),
      "01:01.0": port(2, 0),
      "02:02.0": pulling(1),
    };
    // INTA of device 2 is C on bus 2's bridge; device 1 makes it D at 00:02.0: route (3 + 1) & 3.
    expect(lineOf(functions, at(2, 2))).toBe(10);
    expect(lineOf({ ...functions, "02:02.0": pulling(2) }, at(2, 2))).toBe(10);
    expect(lineOf({ ...functions, "02:02.0": pulling(3) }, at(2, 2))).toBe(11);
  });

  it("is unknown behind a bridge that nobody has seen", () => {
    expect(lineOf({ "00:01.0": piix(), "00:03.0": pulling(1) }, at(3, 0))).toBeUndefined();
  });
});
