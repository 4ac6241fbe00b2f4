/**
 * A scripted QMP server on a unix socket: stricter than QEMU, and as unkind as a socket may be.
 *
 * It refuses what QEMU might let pass: commands before qmp_capabilities, a missing or repeated id,
 * unknown members. It can split its bytes anywhere and put several messages into one packet.
 *
 * `faults` is empty as long as the client kept to the protocol.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Asked {
  readonly execute: string;
  /** The command as it came over the wire. */
  readonly line: string;
  readonly id: number;
  readonly reply: (body: string) => void;
  readonly send: (text: string, chunkBytes?: number) => void;
  readonly hangUp: () => void;
}

const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "test"}, ' +
  '"capabilities": ["oob"]}}\r\n';

export class FakeQmp {
  readonly faults: string[] = [];
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #directory: string;

  private constructor(directory: string, greeting: string, answer: (asked: Asked) => void) {
    this.#directory = directory;
    this.path = join(directory, "qmp.sock");
    this.#server = createServer((socket) => this.#serve({ socket, greeting, answer }));
  }

  /** `answer` is called for each command but qmp_capabilities. */
  static async start(
    answer: (asked: Asked) => void,
    { greeting = GREETING }: { greeting?: string } = {},
  ): Promise<FakeQmp> {
    const fake = new FakeQmp(await mkdtemp(join(tmpdir(), "fake-qmp-")), greeting, answer);
    await new Promise<void>((resolve) => fake.#server.listen(fake.path, resolve));
    return fake;
  }

  /** Bytes to every client, in packets of `chunkBytes`. */
  say(text: string, chunkBytes = text.length): void {
    for (const socket of this.#sockets) sendInChunks(socket, text, chunkBytes);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#directory, { recursive: true });
  }

  #serve(parts: { socket: Socket; greeting: string; answer: (asked: Asked) => void }): void {
    const { socket, greeting, answer } = parts;
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.write(greeting);
    let held = "";
    let ready = false;
    const seenIds = new Set<unknown>();
    socket.on("data", (bytes) => {
      held += bytes.toString();
      const lines = held.split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) {
        const { execute, id, ...others } = JSON.parse(line) as Record<string, unknown>;
        const stray = Object.keys(others).filter((key) => key !== "arguments");
        if (stray.length > 0) this.faults.push(`members ${stray}`);
        if (typeof id !== "number" || seenIds.has(id)) this.faults.push(`id ${id}`);
        seenIds.add(id);
        const send = (text: string, chunkBytes = text.length): void =>
          sendInChunks(socket, text, chunkBytes);
        if (execute === "qmp_capabilities") {
          ready = true;
          send(`{"return": {}, "id": ${id}}\r\n`);
          continue;
        }
        if (!ready) this.faults.push(`${execute} before qmp_capabilities`);
        answer({
          execute: String(execute),
          line,
          id: Number(id),
          reply: (body) => send(`{${body}, "id": ${id}}\r\n`),
          send,
          hangUp: () => socket.destroy(),
        });
      }
    });
  }
}

function sendInChunks(socket: Socket, text: string, chunkBytes: number): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    socket.write(bytes.subarray(at, at + chunkBytes));
  }
}
