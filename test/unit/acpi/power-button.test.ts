/** The power button, as hosts describe it: of a generic event device, and of the PM1 block. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAml } from "../../../runtime/acpi/aml.ts";
import { runAml } from "../../../runtime/acpi/aml-run.ts";
import { findPowerButton } from "../../../runtime/acpi/power-button.ts";
import type { Hal } from "../../../runtime/hal.ts";
import {
  ascii,
  type Bytes,
  buffer,
  device,
  dword,
  END,
  interrupt,
  le,
  list,
  machine,
  name,
  scope,
  sized,
  text,
} from "../../support/aml-bytes.ts";

const EVENTS = 0xfec1_0000;
const LOCAL0 = 0x60;
const LOCAL1 = 0x61;
const EDGE_HIGH = 3;
const method = (id: string, args: number, ...body: Bytes[]): Bytes => [
  0x14,
  ...sized([...ascii(id), args, ...body.flat()]),
];
const when = (holds: Bytes, ...then: Bytes[]): Bytes => [
  0xa0,
  ...sized([...holds, ...then.flat()]),
];
const otherwise = (...then: Bytes[]): Bytes => [0xa1, ...sized(then.flat())];
const byte = (value: number): Bytes => [0x0a, value];
const store = (from: Bytes, to: number): Bytes => [0x70, ...from, to];
const and = (a: Bytes, b: Bytes, to: number): Bytes => [0x7b, ...a, ...b, to];
const equal = (a: Bytes, b: Bytes): Bytes => [0x93, ...a, ...b];
const region = (id: string, space: number, at: number, bytes: number): Bytes => [
  ...[0x5b, 0x80],
  ...ascii(id),
  space,
  ...dword(at),
  ...byte(bytes),
];
const field = (of: string, ...bits: [string, number][]): Bytes => [
  ...[0x5b, 0x81],
  ...sized([
    ...ascii(of),
    0x40,
    ...bits.flatMap(([id, count]) => [...(id === "" ? [0] : ascii(id)), count]),
  ]),
];
const notify = (path: Bytes): Bytes => [0x86, ...path, ...byte(0x80)];
const PWRB = device("PWRB", name("_HID", ...dword(0x0c0cd041)));
const crs = (input: number) => name("_CRS", ...buffer([...interrupt(EDGE_HIGH, input), ...END]));
const handler = (...body: Bytes[]) =>
  device("GED_", name("_HID", ...text("ACPI0013")), crs(9), ...body);

/** One register in the device itself; each event's bit is compared at once. */
const QEMU_LIKE = scope(
  handler(
    region("EREG", 0, EVENTS, 4),
    field("EREG", ["ESEL", 32]),
    method(
      "_EVT",
      1,
      store(ascii("ESEL"), LOCAL0),
      when(equal(and([LOCAL0], byte(2), 0), byte(2)), notify(ascii("PWRB"))),
    ),
  ),
  PWRB,
);

/** A register elsewhere, read by a method of another device; other events call what is not here. */
const CLOUD_HYPERVISOR_LIKE = scope(
  device(
    "GEC_",
    region("GDST", 0, EVENTS, 1),
    field("GDST", ["GDAT", 8]),
    method(
      "ESCN",
      0,
      store(ascii("GDAT"), LOCAL0),
      and([LOCAL0], byte(4), LOCAL1),
      when(equal([LOCAL1], byte(4)), [0x5c, 0x2f, 3], ascii("_SB_PHPRPSCN")),
      and([LOCAL0], byte(8), LOCAL1),
      when(equal([LOCAL1], byte(8)), notify([0x5c, 0x2e, ...ascii("_SB_PWRB")])),
    ),
  ),
  PWRB,
  handler(method("_EVT", 1, [0x5c, 0x2f, 3], ascii("_SB_GEC_ESCN"))),
);

/** With this value in the register, which reading clears; writes end the test. */
function withEvents(body: Bytes, value: number): Hal {
  const hal = machine(body);
  let left = value;
  return {
    ...hal,
    mmioRead: (at, width) => {
      if (at !== EVENTS) return hal.mmioRead(at, width);
      const now = left;
      left = 0;
      return now;
    },
    mmioWrite: () => expect.unreachable(),
    portWrite: () => expect.unreachable(),
  };
}

describe("of a generic event device", () => {
  it.each([
    ["QEMU's", QEMU_LIKE, 2],
    ["Cloud Hypervisor's", CLOUD_HYPERVISOR_LIKE, 8],
  ])("%s is told from other events", (_, body, bit) => {
    const pressed = (value: number) => {
      const button = findPowerButton({ hal: withEvents(body, value) });
      button?.listen();
      expect(button?.input).toEqual({ number: 9, isLevel: false, isActiveLow: false });
      const [first, second] = [button?.pressed(), button?.pressed()];
      expect(second).toBe(false);
      return first;
    };
    expect([0, bit, 4 + bit, 4, 1].map(pressed)).toEqual([false, true, true, false, false]);
    // Nobody is there.
    expect(pressed(bit === 2 ? 0xffff_ffff : 0xff)).toBe(false);
  });

  it("is none without a button, without a handler, and without an interrupt", () => {
    const event = name("_HID", ...text("ACPI0013"));
    const evt = method("_EVT", 1, notify(ascii("PWRB")));
    for (const body of [
      scope(handler(evt)),
      scope(PWRB, handler()),
      scope(PWRB, device("GED_", event, evt)),
    ]) {
      expect(findPowerButton({ hal: machine(body) })).toBeUndefined();
    }
  });
});

describe("runAml", () => {
  const run = (args: readonly number[], ...body: Bytes[]) => {
    const table = readAml(Uint8Array.from([...scope(PWRB), ...method("MAIN", 1, ...body)]));
    const main = table.methods.get("MAIN");
    if (main === undefined) throw new Error("no method");
    return runAml(table, { method: main, args, read: () => 0 }).map(({ value }) => value);
  };
  const say = (...value: number[]): Bytes => [0x86, 0x5c, 0x2e, ...ascii("_SB_PWRB"), ...value];

  it("takes the branch that holds, and passes over what it does not understand", () => {
    const strange = [0x5b, 0x23, 0x60, 0, 0];
    const body = [
      when(equal([0x68], byte(7)), say(1), strange, say(0x0a, 9)),
      otherwise(say(0)),
      [0xa3],
      store([0x72, 0x68, ...byte(3), 0], LOCAL0),
      say(LOCAL0),
      when([0x92, ...[0x95, 0x68, ...byte(8)]], say(0x0a, 5)),
      when([0x90, 1, 0x91, 0, 0x94, 0x68, 1], say(0x0a, 6)),
      [0xa4, 0],
      say(0x0a, 4),
    ];
    expect(run([7], ...body)).toEqual([1, 10, 6]);
    expect(run([9], ...body)).toEqual([0, 12, 5, 6]);
  });

  it("ends a method that calls itself", () => {
    expect(run([0], say(1), ascii("MAIN"), [0])).toHaveLength(9);
  });

  it("ends with any bytes", () => {
    const whole = Uint8Array.from(CLOUD_HYPERVISOR_LIKE);
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(255),
        (changes, value) => {
          const broken = whole.slice();
          for (const { at, byte: to } of changes) broken[at] = to;
          const button = findPowerButton({ hal: withEvents([...broken], value) });
          expect([true, false, undefined]).toContain(button?.pressed());
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("of the PM1 block", () => {
  const STATUS = 0x600;

  function chipset(events: { status: number; enable: number }): Hal {
    // Bytes of the FADT from its body on: the interrupt, the block, the block's length.
    const body = new Array<number>(80).fill(0);
    body.splice(10, 2, ...le(5, 2));
    body.splice(20, 4, ...le(STATUS, 4));
    body[52] = 4;
    return {
      ...machine(scope(list()), body),
      portRead: (port) => (port === STATUS ? events.status : events.enable),
      portWrite: (port, _, value) => {
        if (port === STATUS) events.status &= ~value;
        else events.enable = value;
      },
    };
  }

  it("is read, cleared and told from other events", () => {
    const events = { status: 0, enable: 0x20 };
    const button = findPowerButton({ hal: chipset(events) });
    expect(button?.input).toEqual({ number: 5, isLevel: true, isActiveLow: true });
    button?.listen();
    expect(events.enable).toBe(0x120);
    events.status = 0x21;
    expect(button?.pressed()).toBe(false);
    events.status = 0x121;
    expect([button?.pressed(), button?.pressed()]).toEqual([true, false]);
    expect(events.status).toBe(0x21);
  });

  it("is none where nobody answers", () => {
    expect(findPowerButton({ hal: chipset({ status: 0xffff, enable: 0 }) })).toBeUndefined();
  });
});
