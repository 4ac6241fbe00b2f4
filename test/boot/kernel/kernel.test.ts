/**
 * The kernel under QEMU: it comes up everywhere, its functions do what they say, its faults are
 * told.
 *
 * Each script is a guest of its own; none needs the balloon driver.
 */
import { runInThisContext } from "node:vm";
import { beforeEach, describe, expect, test } from "vitest";
import type { MemoryRegion } from "../../../runtime/kernel/machine.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { type Arch, bootImage, MIB, runScript, scriptImage } from "../support/kernel-images.ts";

const ARCHES: readonly Arch[] = ["i386", "x86_64"];
const GIB = 1024 * MIB;

beforeEach((context) => {
  for (const arch of ARCHES) {
    toolOrSkip(context, findOnPath(`qemu-system-${arch}`), `qemu-system-${arch}`);
  }
});

const MACHINES = [
  ["i386", "pc", 32 * MIB],
  ["i386", "q35", 64 * MIB],
  ["i386", "pc", 3 * GIB],
  ["x86_64", "pc", 32 * MIB],
  ["x86_64", "q35", 256 * MIB],
  ["x86_64", "microvm", 32 * MIB],
  ["x86_64", "q35", 6 * GIB],
  ["x86_64", "microvm", 6 * GIB],
] as const;

const MAP_SCRIPT = `boot() {
  say(machine.commandLine());
  say(JSON.stringify(machine.memoryMap()));
  machine.exit(0);
}`;

test.each(MACHINES)(
  "%s on %s with %i bytes sees its memory",
  async (arch, machine, memoryBytes) => {
    const { lines, code } = await runScript(arch, MAP_SCRIPT, {
      machine,
      memoryBytes,
      append: "first=1 second=two",
    });
    expect(code).toBe(0);
    expect(lines[0]).toBe("first=1 second=two");
    const map = JSON.parse(lines[1] ?? "") as MemoryRegion[];
    let end = 4096;
    for (const { base, size } of map) {
      expect(base).toBeGreaterThanOrEqual(end);
      expect([base % 4096, size % 4096]).toEqual([0, 0]);
      end = base + size;
    }
    const memory = map.filter(({ kind }) => kind !== "reserved");
    const total = memory.reduce((sum, { size }) => sum + size, 0);
    expect(memoryBytes - total).toBeGreaterThanOrEqual(0);
    expect(memoryBytes - total).toBeLessThan(2 * MIB);
    const kernel = map.filter(({ kind }) => kind === "kernel");
    expect(kernel).toHaveLength(1);
    expect(kernel[0]?.base).toBe(2 * MIB);
    // Image, stack and pool; the engine's memory lies inside the image.
    expect(kernel[0]?.size).toBeLessThan(4 * MIB);
  },
);

describe.each(ARCHES)("on %s", (arch) => {
  test("frames hold their pattern, and one changed byte is found", async () => {
    const high = arch === "x86_64" ? 0x100000 : 0xb0000;
    const { lines } = await runScript(
      arch,
      `boot() {
        for (const first of [0x800, 0x7fff0, ${high}]) {
          machine.fillFrames(first, 32, 7);
          say(machine.verifyFrames(first, 32, 7));
          const at = (first + 31) * 4096 + 4095;
          machine.memoryWrite(at, 1, machine.memoryRead(at, 1) ^ 1);
          say(machine.verifyFrames(first, 32, 7));
          say(machine.verifyFrames(first, 31, 7));
          say(machine.verifyFrames(first, 1, 8) > 3500);
        }
        machine.exit(0);
      }`,
      { memoryBytes: arch === "x86_64" ? 6 * GIB : 3 * GIB, machine: "pc" },
    );
    expect(lines).toEqual(["0", "1", "0", "true", "0", "1", "0", "true", "0", "1", "0", "true"]);
  });

  test("memory and ports are read and written with the width asked for", async () => {
    const { lines } = await runScript(
      arch,
      `boot() {
        const at = 0x1000000;
        machine.memoryWrite(at, 4, 0x11223344);
        machine.memoryWrite(at + 1, 1, 0xff);
        machine.memoryWrite(at + 2, 2, 0xabcd);
        say(machine.memoryRead(at, 4).toString(16));
        say(machine.memoryRead(at + 2, 2).toString(16));
        machine.portWrite(0xcf8, 4, 0x80000000);
        say(machine.portRead(0xcfc, 4).toString(16) + " " + machine.portRead(0xcfe, 2).toString(16));
        for (const f of [() => machine.memoryRead(at, 3), () => machine.portRead(0x80, 8),
            () => machine.memoryRead(2 ** 60, 4), () => machine.fillFrames(0, 1e6, 1)]) {
          try { f(); say("no error"); } catch (error) { say(error.message); }
        }
        machine.exit(0);
      }`,
    );
    expect(lines.slice(0, 3)).toEqual(["abcdff44", "abcd", "29c08086 29c0"]);
    expect(lines.slice(3).map((line) => line.split(":")[0])).toEqual([
      "memoryRead",
      "portRead",
      "memoryRead",
      "fillFrames",
    ]);
  });

  test("arithmetic is JavaScript's", async () => {
    const cases = [
      "Math.floor(-1.5)",
      "Object.is(Math.ceil(-0.5), -0)",
      "Math.trunc(-4.7)",
      "Math.round(2.5)",
      "Math.round(-0.4)",
      "Math.sqrt(2)",
      "-7 % 3",
      "(2 ** 53) / 3",
      "1e21 + 0.1",
      "5e-324 / 2",
      "0.1 + 0.2",
      "2 ** 31 | 0",
      "-1 >>> 0",
      "4294967296.5 % 7",
      "Math.clz32(1)",
      "parseFloat('1.7976931348623157e308')",
      "(123456789012345678901234567890n * 987654321n).toString()",
      "((10n ** 60n) / (7n ** 30n)).toString()",
      "((-(10n ** 40n)) % (3n ** 20n)).toString()",
      "Number(12345678901234567890n)",
      "BigInt(2 ** 63).toString(16)",
      "new Date(86400000).toISOString()",
      "(1234.5678).toFixed(2)",
      "(255).toString(36)",
      "JSON.stringify([...'a\\u{1f600}b'].map((c) => c.codePointAt(0)))",
      "/(\\d+)-(?<w>\\w+)/u.exec('x 12-ab').groups.w",
    ];
    const { lines } = await runScript(
      arch,
      `boot() { for (const text of ${JSON.stringify(cases)}) say(eval(text)); machine.exit(0) }`,
    );
    expect(lines).toEqual(cases.map((text) => String(runInThisContext(text))));
  });

  test("time passes, and a wait ends when it should", async () => {
    const { lines } = await runScript(
      arch,
      `boot() {
        const from = machine.now();
        const lines = machine.waitForInterrupt(from + 120);
        const waited = machine.now() - from;
        say(lines + " " + (waited >= 120 && waited < 2000));
        let last = 0, back = 0;
        for (let i = 0; i < 1000; i++) { const now = machine.now(); if (now < last) back++; last = now; }
        say(back);
        return machine.now() + 50;
      },
      wake(lines) { say("woken by " + lines); machine.exit(9) }`,
    );
    expect(lines).toEqual(["0 true", "0", "woken by 0"]);
  });

  test("deep recursion of every kind is a RangeError, not the end", async () => {
    const { lines, code } = await runScript(
      arch,
      `boot() {
        let depth = 0;
        const kinds = {
          call() { depth++; kinds.call() },
          replace() { depth++; "a".replace(/a/, kinds.replace) },
          map() { depth++; [1].map(kinds.map) },
          getter() { depth++; const o = { get x() { depth++; return o.x } }; return o.x },
          construct() { depth++; class A { constructor() { depth++; new A() } } new A() },
          proxy() { const p = new Proxy({}, { get(t, n, r) { depth++; return r.x } }); return p.x },
          evaluate() { depth++; (0, eval)("globalThis.again()") },
          apply() { depth++; kinds.apply.apply(null, []) },
          generator() { depth++; for (const x of (function* () { yield kinds.generator() })()); },
        };
        globalThis.again = kinds.evaluate;
        for (const [name, recurse] of Object.entries(kinds)) {
          depth = 0;
          try { recurse(); say(name + " ended") } catch (error) {
            say(name + " " + (depth > 50) + " " + error.name);
          }
        }
        machine.exit(0);
      }`,
    );
    expect(code).toBe(0);
    expect(lines).toHaveLength(9);
    for (const line of lines) expect(line).toMatch(/^\w+ true RangeError$/);
  });

  test("without a ledger the heap ends where the pool does, as an error to catch", async () => {
    const { lines, code } = await runScript(
      arch,
      `boot() {
        const kept = [];
        try { for (;;) kept.push(new Uint8Array(65536).fill(1)) } catch (error) { say(error) }
        const held = kept.length;
        kept.length = 0;
        say(new Uint8Array(65536).fill(2)[65535] + " " + (held > 0));
        machine.exit(0);
      }`,
    );
    expect(lines).toEqual(["InternalError: out of memory", "2 true"]);
    expect(code).toBe(0);
  });

  test("the engine grows by the core's ledger once it is told to", async () => {
    const { lines } = await runScript(
      arch,
      `boot() {
        const { core } = machine;
        const last = machine.memoryMap().filter(({ kind }) => kind === "available").pop();
        const frames = (last.base + last.size) / 4096;
        const bytes = core.arena_bytes(frames, 16, 1, 256);
        core.arena_open(last.base, frames, 16, 1, 256);
        const first = last.base / 4096 + Math.ceil(bytes / 4096);
        core.ledger_add(first, frames - first);
        machine.growFromLedger();
        const FREE = 2;
        const before = core.ledger_count(FREE);
        const kept = [];
        for (let i = 0; i < 160; i++) kept.push(new Uint8Array(65536).fill(i));
        say(before - core.ledger_count(FREE) >= 160 * 16);
        say(kept.every((bytes, i) => bytes[0] === i && bytes[65535] === i && bytes.includes(i)));
        machine.exit(0);
      }`,
    );
    expect(lines).toEqual(["true", "true"]);
  });

  const FAULTS = [
    ["machine.provoke(0)", 0x42, /^exception: invalid opcode at 0x\w+ in JavaScript .* f \(/],
    ["machine.provoke(1)", 0x42, /^exception: page fault on 0x\w+ at 0x\w+ in JavaScript/],
    ["machine.provoke(2)", 0x41, /^wasm trap: unreachable at 0x\w+ in JavaScript .* f \(/],
    ["machine.provoke(3)", 0x42, /^exception: double fault \(stack overflow\?\) at 0x\w+$/],
    ["machine.core.ledger_state(0xffffffff)", 0x41, /^wasm trap: \w+.* ledger_state \(native\)/],
    ["null.field", 0x43, /^uncaught: TypeError: .* at f \(guest\.js:\d+:\d+\) at boot/],
    ["throw new RangeError('two\\nlines')", 0x43, /^uncaught: RangeError: two lines at f/],
    ["throw 'text'", 0x43, /^uncaught: text$/],
    ["machine.exit(5)", 5, undefined],
  ] as const;

  test.each(FAULTS)("%s ends the machine with code %i and one line", async (fault, end, text) => {
    const { lines, code } = await runScript(arch, `boot() { function f() { ${fault} } f() }`);
    expect(code).toBe(end);
    expect(lines).toHaveLength(text ? 1 : 0);
    if (text) {
      expect(lines[0]).toMatch(/^ballonet: panic: /);
      expect(lines[0]?.replace("ballonet: panic: ", "")).toMatch(text);
    }
  });

  test("an error in wake() is told too", async () => {
    const { lines, code } = await runScript(arch, "boot() { return 0 }, wake() { nowhere() }");
    expect(code).toBe(0x43);
    expect(lines[0]).toMatch(/^ballonet: panic: uncaught: ReferenceError: .* at wake/);
  });

  test("after a reset the guest starts afresh", async () => {
    const image = await scriptImage(
      arch,
      `boot() { globalThis.count = (globalThis.count ?? 0) + 1; say("boot " + count); return 1e12 }`,
    );
    const vm = await bootImage(arch, image, { machine: "pc" });
    await vm.log.waitForLine({ pattern: /^boot 1$/ });
    const from = vm.log.nextNumber;
    await vm.reset();
    await vm.log.waitForLine({ pattern: /^boot 1$/, from });
    expect(vm.log.lines).toEqual(["boot 1", "boot 1"]);
  });

  // On this processor a message that it sends itself arrives like a device's, but only under QEMU.
  test("messages end waits, one at a time, and only those that are listened to", async () => {
    const { lines } = await runScript(
      arch,
      `boot() {
        const at = machine.messageAddress();
        say(at.toString(16));
        const send = (line) => machine.memoryWrite(at, 4, 0x20 + line);
        const wait = (ms) => machine.waitForInterrupt(machine.now() + ms);
        machine.listen(16);
        machine.listen(30);
        send(16);
        say(wait(60_000) === 2 ** 16);
        send(16);
        send(30);
        send(16);
        const both = [wait(60_000), wait(60_000)].sort((a, b) => a - b);
        say(both.join() === [2 ** 16, 2 ** 30].join());
        // Nobody listens to line 20, and no line has the last door.
        for (const line of [20, 31, 20, 31]) send(line);
        say(wait(100));
        send(30);
        say(wait(60_000) === 2 ** 30);
        try { machine.listen(31) } catch (error) { say(error.message) }
        machine.exit(0);
      }`,
    );
    expect(lines.slice(0, 5)).toEqual(["fee00000", "true", "true", "0", "true"]);
    expect(lines[5]).toMatch(/^listen: /);
  });

  // The old PC's timer, set as fast as it goes, stands for a device that sends without end.
  test("a storm of messages delays nothing else for long", async () => {
    const { lines } = await runScript(
      arch,
      `boot() {
        const wait = (ms) => machine.waitForInterrupt(machine.now() + ms);
        machine.listen(16);
        const input = (word, value) => {
          machine.memoryWrite(0xfec00000, 4, 0x10 + 2 * 2 + word);
          machine.memoryWrite(0xfec00010, 4, value);
        };
        input(1, 0);
        input(0, 0x20 + 17);
        const PERIODIC = 0x34;
        machine.portWrite(0x43, 1, PERIODIC);
        machine.portWrite(0x40, 1, 12);
        machine.portWrite(0x40, 1, 0);
        const start = machine.now();
        say(wait(100) + " " + (machine.now() - start >= 100));
        machine.memoryWrite(machine.messageAddress(), 4, 0x20 + 16);
        say(wait(60_000) === 2 ** 16);
        machine.listen(17);
        for (let count = 0; count < 1000; count++) {
          if (wait(60_000) !== 2 ** 17) say("something else");
        }
        say("through");
        machine.exit(0);
      }`,
    );
    expect(lines).toEqual(["0 true", "true", "through"]);
  });

  test("the second serial port carries bytes both ways, and an idle guest sleeps", async () => {
    const image = await scriptImage(
      arch,
      `text: "", boot() { machine.listen(3); say("up"); return 1e12 },
      wake() {
        guest.text += machine.serialRead(2);
        const lines = guest.text.split("\\n");
        guest.text = lines.pop();
        for (const line of lines) {
          const { id, params } = JSON.parse(line);
          machine.serialWrite(2, JSON.stringify({ jsonrpc: "2.0", id, result: params }) + "\\n");
        }
        return 1e12;
      }`,
    );
    const vm = await bootImage(arch, image);
    await vm.log.waitForLine({ pattern: "up" });
    for (const params of [{ n: 1 }, { text: "x".repeat(3000) }]) {
      expect(await vm.control.request({ method: "echo", params })).toEqual(params);
    }
    const before = await vm.cpuSeconds();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const after = await vm.cpuSeconds();
    if (before === undefined || after === undefined) throw new Error("no CPU time to be seen");
    expect((after - before) / 3).toBeLessThan(0.03);
  });
});
