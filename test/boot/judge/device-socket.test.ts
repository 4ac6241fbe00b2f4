/** The device behind a real socket: the relay between it and whoever connects. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { createDevice, createMachine } from "../../../src/device/index.ts";
import { DeviceSocket } from "../../../src/judge/vfio-user/device-socket.ts";
import { COMMAND } from "../../../src/judge/vfio-user/messages.ts";
import { ballonet, MEMORY_BYTES } from "../../support/judged-driver.ts";
import { parsed, request } from "../../support/vfio-client.ts";

const SOON = { timeout: 10_000, interval: 10 };

async function listening() {
  const folder = await mkdtemp(join(tmpdir(), "ballonet-socket-"));
  const path = join(folder, "device");
  const memory = new WebAssembly.Memory({ initial: 16 });
  const socket = await DeviceSocket.open({
    path,
    vectors: 2,
    make: (interrupts) => createDevice({ memory, vectors: 2, interrupts }),
  });
  const end = async () => {
    await socket.close();
    await rm(folder, { recursive: true, force: true });
  };
  onTestFinished(end);
  return { path, socket, end };
}

async function connected(path: string): Promise<{ client: Socket; received: () => Buffer }> {
  const client = connect(path);
  const parts: Buffer[] = [];
  client.on("data", (bytes) => parts.push(bytes));
  client.on("error", () => {});
  await new Promise((resolve) => client.once("connect", resolve));
  return { client, received: () => Buffer.concat(parts) };
}

describe("a device behind a socket", () => {
  it("is its owner's alone, and answers a client", async () => {
    const { path, socket } = await listening();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const { client, received } = await connected(path);
    const message = request(COMMAND.getInfo);
    client.write(message.subarray(0, 5));
    client.write(message.subarray(5));
    await expect.poll(() => received().length, SOON).toBe(32);
    expect(parsed(received())).toMatchObject({ id: 7, command: COMMAND.getInfo, flags: 1 });
    client.end();
    await expect.poll(() => socket.ended, SOON).toBe("the client has gone");
  });

  it("takes no second client", async () => {
    const { path, socket } = await listening();
    await connected(path);
    await expect.poll(() => socket.isConnected, SOON).toBe(true);
    const second = connect(path);
    const code = await new Promise((resolve) => second.once("error", resolve));
    expect(code).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("gives way to one that comes with its interrupt up", async () => {
    const { socket } = await listening();
    const memory = new WebAssembly.Memory({ initial: MEMORY_BYTES / 65536 });
    const machine = createMachine({ memory });
    await ballonet()({ hal: machine.hal, memory });
    machine.setTarget(5);
    expect(machine.interruptPending).toBe(true);
    const incoming = machine.save({ memory: false });
    socket.renew((interrupts) => createDevice({ memory, incoming, interrupts }));
    expect(socket.device.interruptPending).toBe(true);
  });

  it("says why it cannot listen", async () => {
    const make = () => createDevice({ memory: new WebAssembly.Memory({ initial: 16 }) });
    const open = (path: string) => DeviceSocket.open({ path, vectors: 0, make });
    await expect(open("/nowhere/device")).rejects.toThrow(/ENOENT: no such file/);
    await expect(open(`/tmp/${"x".repeat(200)}`)).rejects.toThrow(/one of less than 108 bytes/);
  });

  it("comes to a clean end whatever a client sends", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 8 }),
      async (pieces) => {
        const { path, socket, end } = await listening();
        const { client } = await connected(path);
        for (const bytes of pieces) client.write(bytes);
        client.end();
        await expect.poll(() => socket.ended, SOON).toMatch(/gone|a message of|a reply/);
        await end();
        client.destroy();
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });
});
