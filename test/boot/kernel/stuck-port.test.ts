/**
 * A serial port whose host takes nothing any more costs the guest seconds, once: they are measured in
 * time, so they are the same however long a look at the port takes.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BOOT_MS, guestImage, useGuests } from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { startMachine } from "../support/serial-machine.ts";

useGuests();

const TIME_LIMIT = { timeout: 3 * BOOT_MS };
/** 5 * 10^9 ticks: QEMU's emulated processor counts as this one does, 1 to 5 * 10^9 a second. */
const STUCK_LEAST_MS = 1000;
const STUCK_MOST_MS = 5000;
/** A line is given up in its middle, and what waits before it is tried again. */
const ROUGHLY = 1.5;
/** More than a socket takes on its way. */
const LINES = 20_000;
const AGAIN_MS = 500;
const SCRIPT = `const before = machine.now();
  for (let n = 0; n < ${LINES}; n++) machine.serialWrite(1, "x".repeat(80) + "\\n");
  machine.now() - before`;

it(
  "a port that nobody reads is waited for in time, and then no more",
  TIME_LIMIT,
  async (context) => {
    const qemu = findOnPath("qemu-system-x86_64");
    toolOrSkip(context, qemu, "qemu-system-x86_64");
    const folder = await mkdtemp(join(tmpdir(), "ballonet-"));
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.pause()));
    context.onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await rm(folder, { recursive: true, force: true });
    });
    const path = join(folder, "log");
    server.listen(path);
    await once(server, "listening");
    const machine = startMachine(qemu as string, [
      ...["-machine", "q35", "-m", "64", "-display", "none", "-nodefaults", "-no-reboot"],
      ...["-kernel", guestImage(context, "x86_64").path, "-device", "virtio-balloon-pci"],
      ...["-chardev", `socket,id=log,path=${path}`, "-serial", "chardev:log", "-serial", "stdio"],
    ]);
    const ask = (id: number, script: string) => {
      const params = { script, timeoutMs: BOOT_MS };
      const request = { jsonrpc: "2.0", id, method: "evaluate", params };
      machine.process.stdin.write(`\n${JSON.stringify(request)}\n`);
    };
    const answer = async (id: number, script: string) => {
      ask(id, script);
      const found = () => machine.text().match(new RegExp(`"id":${id},"result":([\\d.]+)`))?.[1];
      await expect.poll(found, { timeout: BOOT_MS, interval: 20 }).toBeDefined();
      return Number(found());
    };
    // What comes before the guest has set its port up is lost, so it is asked again and again.
    const isUp = () => machine.text().includes('"id":1,');
    while (!isUp()) {
      ask(1, "1");
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
    const stuckMs = await answer(2, SCRIPT);
    expect(stuckMs).toBeGreaterThan(STUCK_LEAST_MS / ROUGHLY);
    expect(stuckMs).toBeLessThan(STUCK_MOST_MS * ROUGHLY);
    // Now that it is known to be stuck, no byte waits for it.
    expect(await answer(3, SCRIPT)).toBeLessThan(stuckMs / ROUGHLY);
  },
);
