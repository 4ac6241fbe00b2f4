/**
 * The control channel: any bytes of a host give one reply for each line that is no notification, in
 * ASCII, and a guest that goes on.
 */
import { openMemory } from "../../../../runtime/core/arena.ts";
import { FRAME_STATES } from "../../../../runtime/core/exports.ts";
import { Frames } from "../../../../runtime/core/frames.ts";
import { arenaBytes, BalloonDriver, follow, makeSettings } from "../../../../runtime/index.ts";
import { controlMethods } from "../../../../runtime/kernel/control-methods.ts";
import { FatalError, JsonRpcServer } from "../../../../runtime/kernel/json-rpc-server.ts";
import { Workload } from "../../../../runtime/kernel/workload.ts";
import { FakeMachine } from "../../../support/fake-machine.ts";

const FRAME = 4096;
const FRAMES = 256;
const FIRST = 256;
const RAM_BYTES = 2 ** 21;
const PIECE_MAX = 13;

/** Scripts are not run: they are the host's own, and may do anything. */
class QuietMachine extends FakeMachine {
  override evaluate(): string {
    return "=null";
  }
}
const machine = new QuietMachine({ device: false, ramBytes: RAM_BYTES });
const { core } = machine;
const settings = makeSettings({ queueSizeMax: 8, buffersInFlight: 2, pfnsPerBuffer: 16 });
const ram = [{ start: FIRST * FRAME, bytes: FRAMES * FRAME }];
const arena = {
  start: (FIRST + FRAMES) * FRAME,
  bytes: arenaBytes({ core, settings, ram }),
};

function makeServer(send: (line: string) => void): JsonRpcServer {
  openMemory({ core, settings, arena, ram });
  const hal = { ...absentHal, now: () => 0, log: () => {} };
  const policy = follow(settings.follow);
  const driver = new BalloonDriver({ hal, core, settings, policy });
  const workload = new Workload({
    machine,
    frames: new Frames(core),
    shortage: () => false,
    pause: () => {},
  });
  const ledger = { address: arena.start, frames: core.ledger_frames() };
  const methods = controlMethods({ machine, driver, workload, ledger });
  return new JsonRpcServer({ methods, send });
}

const absentHal = {
  portRead: () => 0xff,
  portWrite: () => {},
  mmioRead: () => 0xff,
  mmioWrite: () => {},
};

/** Whether a line gets no reply: it is empty, or a request without an id. */
function isSilent(line: string): boolean {
  if (line.trim() === "") return true;
  try {
    const request: unknown = JSON.parse(Buffer.from(line, "latin1").toString("utf8"));
    const isObject = typeof request === "object" && request !== null && !Array.isArray(request);
    return isObject && "method" in request && !("id" in request);
  } catch {
    return false;
  }
}

export function run(input: Uint8Array): void {
  const replies: string[] = [];
  const server = makeServer((line) => {
    if (!/^[\x20-\x7e]+\n$/.test(line)) throw new Error(`no line of ASCII: ${line}`);
    JSON.parse(line);
    replies.push(line);
  });
  const bytes = Buffer.from(input).toString("latin1");
  try {
    const step = 1 + (bytes.length % PIECE_MAX);
    for (let at = 0; at < bytes.length; at += step) server.receive(bytes.slice(at, at + step));
  } catch (error) {
    if (!(error instanceof FatalError)) throw error;
    return;
  }
  const lines = bytes.split("\n").slice(0, -1);
  const asked = lines.filter((line) => !isSilent(line)).length;
  const most = lines.filter((line) => line.trim() !== "").length;
  // A notification that is none, for other reasons, may have a reply.
  if (replies.length < asked || replies.length > most) {
    throw new Error(`${replies.length} replies to ${asked} to ${most} lines`);
  }
  const sum = FRAME_STATES.reduce((total, _, state) => total + core.ledger_count(state), 0);
  if (sum !== core.ledger_frames()) throw new Error(`${sum} frames`);
}
