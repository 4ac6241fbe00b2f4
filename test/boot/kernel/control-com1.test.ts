/**
 * The control channel on COM1, between the lines of the log: on machines with one serial port, and
 * where the command line says so. A host that looks away loses no line and gets none damaged.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import {
  ARCHITECTURES,
  type Arch,
  ask,
  BOOT_MS,
  guestImage,
  inflateTo,
  MIB,
  qemuGuest,
  useGuests,
  v86Guest,
} from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";

useGuests();

const memoryBytes = 64 * MIB;
/** Longer than the guest waits for a port to take a byte. */
const AWAY_MS = 6000;
const LONG = 60_000;
const REPLIES = 4;

/** A script that logs in the middle of a request, and has a long reply. */
const script = (mark: number, bytes: number) =>
  `machine.serialWrite(1, "ballonet: mark ${mark} " + "m".repeat(50) + "\\n"); "r".repeat(${bytes})`;

const boots: readonly [string, (context: TestContext) => Promise<Vmm>][] = [
  ...ARCHITECTURES.flatMap((arch) =>
    (["microvm", "q35"] as const).map((machine): (typeof boots)[number] => [
      `${arch} ${machine}`,
      (context) => qemuGuest(context, { arch, machine, memoryBytes, control: "com1" }),
    ]),
  ),
  ["v86", (context) => v86Guest(context, { memoryBytes, control: "com1" })],
];

describe.each(boots)("%s", (_name, boot) => {
  it("with one port has both on it", async (context) => {
    const vm = await boot(context);
    expect(vm.log.lines).toContain("ballonet: the control channel is on COM1");
    const from = vm.log.nextNumber;
    const [, long] = await Promise.all([
      inflateTo(vm, 1000),
      ask(vm, "evaluate", { script: script(1, 50_000) }),
      ask(vm, "evaluate", { script: script(2, 1) }),
    ]);
    expect(long).toBe("r".repeat(50_000));
    for (const mark of [1, 2]) {
      await vm.log.waitForLine({ pattern: new RegExp(`^ballonet: mark ${mark} m{50}$`), from });
    }
    for (const line of vm.log.lines) expect(line).toMatch(/^ballonet: /);
    expect(vm.control.strayLines).toEqual([]);
  });
});

/** A machine whose COM1 is read only when the test reads it. */
async function withSocket(context: TestContext, arch: Arch): Promise<Socket> {
  const program = findOnPath(`qemu-system-${arch}`);
  toolOrSkip(context, program, `qemu-system-${arch}`);
  const folder = await mkdtemp(join(tmpdir(), "ballonet-com1-"));
  const path = join(folder, "com1");
  const child = spawn(`qemu-system-${arch}`, [
    ...["-M", "q35,accel=tcg", "-m", "64M", "-nodefaults", "-display", "none"],
    ...["-kernel", guestImage(context, arch).path, "-append", "ballonet.control=com1"],
    ...["-device", "virtio-balloon-pci", "-serial", `unix:${path},server=on,wait=on`],
    ...["-serial", "null", "-device", "isa-debug-exit,iobase=0x501,iosize=4"],
  ]);
  context.onTestFinished(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true });
  });
  for (;;) {
    const socket = connect(path);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    if (isOpen) return socket;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.each(ARCHITECTURES)("%s", (arch) => {
  it("a host that looks away gets every line, each whole", async (context) => {
    const socket = await withSocket(context, arch);
    let text = "";
    const lines = () => text.split("\n").slice(0, -1);
    socket.setEncoding("latin1").on("data", (part: string) => {
      text += part;
    });
    const seen = (isSo: () => boolean) =>
      expect.poll(isSo, { timeout: BOOT_MS, interval: 20 }).toBe(true);
    await seen(() => /^ballonet: ready.*\n/m.test(text));

    socket.pause();
    const call = (id: number, method: string, params: object) =>
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    for (let id = 1; id <= REPLIES; id++) call(id, "evaluate", { script: script(id, LONG) });
    call(REPLIES + 1, "evaluate", { script: "machine.exit(0)" });
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    const before = lines().length;
    socket.resume();
    await seen(() => socket.readableEnded);

    const after = lines().slice(before);
    const replies = after.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    const marks = after.filter((line) => !line.startsWith("{"));
    const ids = Array.from({ length: REPLIES }, (_, at) => at + 1);
    expect(replies.map(({ id, result }) => [id, result.length])).toEqual(
      ids.map((id) => [id, LONG]),
    );
    expect(marks).toEqual(ids.map((id) => `ballonet: mark ${id} ${"m".repeat(50)}`));
  });
});
