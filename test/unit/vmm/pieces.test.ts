/** The small parts of src/vmm: JSON, lines, the log, arguments, features, targets, images. */

import { expect, test } from "vitest";
import { targetPages } from "../../../src/vmm/balloon.ts";
import { formatJson, parseJson } from "../../../src/vmm/json.ts";
import { LineSplitter } from "../../../src/vmm/line-splitter.ts";
import { GuestLog, MAX_LOG_LINE_BYTES } from "../../../src/vmm/log.ts";
import { qemuArguments } from "../../../src/vmm/qemu/arguments.ts";
import { featureBits, statusBits } from "../../../src/vmm/qemu/features.ts";
import { readMultiboot } from "../../../src/vmm/qemu/multiboot.ts";
import { tinyGuest } from "../../boot/support/tiny-guest.ts";

const MIB = 1024 * 1024;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("integers beyond a number's precision are bigints, others numbers", () => {
  const line =
    '{"a":9007199254740991,"b":9007199254740992,"c":-9223372036854775808,"d":1.5,"e":1e3}';
  expect(parseJson(line)).toEqual({
    a: 9_007_199_254_740_991,
    b: 9_007_199_254_740_992n,
    c: -9_223_372_036_854_775_808n,
    d: 1.5,
    e: 1000,
  });
  expect(formatJson({ a: 2n ** 64n - 1n, b: undefined, c: [1, null] })).toBe(
    '{"a":18446744073709551615,"c":[1,null]}',
  );
});

test.each([
  "",
  "{",
  '{"a":1,"a":2}',
  "01",
  "[1,]",
  `[${"9".repeat(100)}]`,
  "[".repeat(200_000),
  "nul",
])("bad JSON is a SyntaxError: %.20s", (line) => {
  expect(() => parseJson(line)).toThrow(SyntaxError);
});

test("lines come out the same however the bytes were cut", () => {
  const bytes = text("one\r\ntwo \u00e4\u20ac\n\nlong line\nlast");
  for (let size = 1; size <= bytes.length; size += 1) {
    const lines: string[] = [];
    const splitter = new LineSplitter({
      maxBytes: 8,
      onLine: (line) => lines.push(line),
      onOversize: (head) => lines.push(`!${head}`),
    });
    for (let at = 0; at < bytes.length; at += size) splitter.push(bytes.subarray(at, at + size));
    expect([...lines, splitter.partial]).toEqual([
      "one",
      "!two \u00e4\ufffd",
      "",
      "!long lin",
      "last",
    ]);
  }
});

test("the log numbers its lines for good, drops the oldest and cuts the longest", async () => {
  const log = new GuestLog({ maxLines: 16 });
  for (let n = 0; n < 100; n += 1) log.push(text(`line ${n}\n`));
  expect(log.nextNumber).toBe(100);
  expect(log.lines.length).toBeLessThanOrEqual(16);
  expect(log.lines[0]).toBe(`line ${log.firstNumber}`);
  expect(await log.waitForLine({ pattern: /line (\d+)8$/g })).toMatchObject({
    number: 88,
    match: ["line 88", "8"],
  });
  log.push(text(`${"x".repeat(MAX_LOG_LINE_BYTES + 10)}\nshort\nunfinish`));
  expect(log.lines.at(-2)).toHaveLength(MAX_LOG_LINE_BYTES);
  expect(log.tail(1)).toEqual(["short", "unfinish"]);
});

test("waiting for a line: a past one, a coming one, none, and the end of the machine", async () => {
  const log = new GuestLog();
  log.push(text("ballonet: ready\n"));
  expect((await log.waitForLine({ pattern: "ready" })).number).toBe(0);
  const coming = log.waitForLine({ pattern: "ready", from: log.nextNumber });
  log.push(text("noise\nballonet: rea"));
  log.push(text("dy again\n"));
  expect(await coming).toMatchObject({ number: 2, text: "ballonet: ready again" });
  const timeout = await log.waitForLine({ pattern: /never/, timeoutMs: 10 }).catch((e) => e);
  expect(timeout).toMatchObject({ code: "timeout" });
  expect(timeout.message).toContain("/never/");
  expect(timeout.message).toContain("ready again");
  const lines: string[] = [];
  const reading = (async () => {
    for await (const line of log) lines.push(line);
  })();
  const reason = new Error("gone");
  const unmet = expect(log.waitForLine({ pattern: "never" })).rejects.toBe(reason);
  log.push(text("last words"));
  log.close(reason);
  await Promise.all([unmet, reading]);
  expect(lines).toEqual(["ballonet: ready", "noise", "ballonet: ready again", "last words"]);
  expect((await log.waitForLine({ pattern: "last" })).number).toBe(3);
});

/** The argument after each occurrence of `flag`. */
function values(args: readonly string[], flag: string): string[] {
  return args.flatMap((arg, index) => (arg === flag ? [args[index + 1] ?? ""] : []));
}

test("QEMU's arguments: bare machine, stopped, channels, exit port, balloon", () => {
  const args = qemuArguments({
    arch: "i386",
    image: "/i mage,x.elf",
    memoryBytes: 32 * MIB,
    append: "a=b c",
  });
  for (const flag of ["-nodefaults", "-no-user-config", "-S"]) expect(args).toContain(flag);
  expect(values(args, "-M")).toEqual(["pc,accel=tcg"]);
  expect(values(args, "-m")).toEqual(["33554432B"]);
  expect(values(args, "-kernel")).toEqual(["/i mage,x.elf"]);
  expect(values(args, "-append")).toEqual(["a=b c"]);
  expect(values(args, "-serial")).toEqual(["chardev:com1", "chardev:com2"]);
  expect(values(args, "-device")).toEqual([
    "isa-debug-exit,iobase=1281,iosize=4",
    "virtio-balloon-pci,id=balloon0",
  ]);
  expect(args).not.toContain("-no-reboot");
});

test("QEMU's arguments: balloon options, no balloon, microvm, preallocation", () => {
  const base = { arch: "x86_64", image: "k", memoryBytes: 64 * MIB } as const;
  const rich = qemuArguments({
    ...base,
    machine: "q35",
    preallocate: true,
    exitOnReboot: true,
    extraArgs: ["-d", "guest_errors"],
    balloon: {
      model: "virtio-balloon-pci-non-transitional",
      deflateOnOom: true,
      freePageHint: true,
      eventIdx: false,
      properties: { addr: "5", name: "a,b" },
    },
  });
  expect(values(rich, "-M")).toEqual(["q35,accel=tcg,memory-backend=ram0"]);
  expect(values(rich, "-object")).toEqual([
    "memory-backend-ram,id=ram0,size=67108864B,prealloc=on",
    "iothread,id=iothread0",
  ]);
  expect(values(rich, "-device").at(-1)).toBe(
    "virtio-balloon-pci-non-transitional,id=balloon0,deflate-on-oom=on,free-page-hint=on," +
      "event_idx=off,iothread=iothread0,addr=5,name=a,,b",
  );
  expect(rich.slice(-3)).toEqual(["-no-reboot", "-d", "guest_errors"]);
  const none = qemuArguments({ ...base, balloon: false });
  expect(none.join(" ")).not.toContain("balloon");
  const micro = qemuArguments({ ...base, machine: "microvm" });
  expect(values(micro, "-device")).toEqual([
    "isa-serial,chardev=com2,index=1",
    "isa-debug-exit,iobase=1281,iosize=4",
    "virtio-balloon-device,id=balloon0",
  ]);
  expect(values(micro, "-global")).toEqual(["virtio-mmio.force-legacy=false"]);
  const legacy = qemuArguments({ ...base, machine: "microvm", balloon: { disableLegacy: false } });
  expect(legacy.join(" ")).not.toContain("legacy");
});

test.each([0, -1, 4096, 1.5 * MIB + 1, Number.NaN, 2 ** 60])(
  "memory of %d bytes is refused",
  (memoryBytes) => {
    expect(() => qemuArguments({ arch: "i386", image: "k", memoryBytes })).toThrow(/memoryBytes/);
  },
);

test("a command line that does not fit, or has a NUL, is refused", () => {
  for (const append of ["x".repeat(4097), "a\0b"]) {
    expect(() => qemuArguments({ arch: "i386", image: "k", memoryBytes: MIB, append })).toThrow(
      expect.objectContaining({ code: "option" }),
    );
  }
});

test("feature and status words become bits, and an unknown word is an error", () => {
  const features = {
    "dev-features": ["VIRTIO_BALLOON_F_STATS_VQ: Guest memory stats VQ available"],
    transports: ["VIRTIO_F_VERSION_1: whatever", "VIRTIO_RING_F_EVENT_IDX: x"],
    "unknown-dev-features": 1_099_511_627_776,
  };
  expect(featureBits(features)).toBe((1n << 1n) | (1n << 32n) | (1n << 29n) | (1n << 40n));
  expect(featureBits(0x1_0000_0002)).toBe(0x1_0000_0002n);
  const statuses = ["ACKNOWLEDGE", "DRIVER", "FEATURES_OK", "DRIVER_OK"];
  expect(statusBits({ statuses: statuses.map((s) => `VIRTIO_CONFIG_S_${s}: x`) })).toBe(15);
  expect(() => featureBits({ transports: ["VIRTIO_F_NEW: x"] })).toThrow(/VIRTIO_F_NEW/);
});

test("targets are pages in the balloon, from none to all but one", () => {
  const memoryBytes = 32 * MIB;
  const pages = (target: { pages: number } | { guestBytes: number }) =>
    targetPages({ target, memoryBytes });
  expect(pages({ guestBytes: 16 * MIB })).toBe(4096);
  expect(pages({ guestBytes: memoryBytes })).toBe(0);
  expect(pages({ pages: 8191 })).toBe(8191);
  for (const bad of [
    { pages: 8192 },
    { pages: -1 },
    { pages: 0.5 },
    { guestBytes: 0 },
    { guestBytes: 33 * MIB },
  ]) {
    expect(() => pages(bad)).toThrow(expect.objectContaining({ code: "option" }));
  }
});

test("an image is checked before v86 would run it into the void", () => {
  const good = tinyGuest();
  const read = (image: Uint8Array, memoryBytes = 32 * MIB) =>
    readMultiboot({ image, name: "x", memoryBytes });
  expect(read(good)).toEqual([
    { physicalAddress: MIB, fileBytes: good.length, memoryBytes: good.length + 64 },
  ]);
  const broken = (at: number, value: number): Uint8Array => {
    const image = tinyGuest();
    image[at] = value;
    return image;
  };
  for (const [image, why] of [
    [new Uint8Array(0), /Multiboot/],
    [broken(84, 0), /Multiboot/],
    [broken(4, 2), /ELF32/],
    [broken(44, 255), /header table/],
    [good.subarray(0, good.length - 1), /segment/],
  ] as const) {
    expect(() => read(image)).toThrow(why);
  }
  expect(() => read(good, MIB)).toThrow(/more memory/);
});
