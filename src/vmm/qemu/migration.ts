/**
 * Live migration of a guest from one QEMU to another, and its whole state as bytes.
 *
 *   source:       running -> active -+-> completed (postmigrate)     .. cont, if it did not arrive
 *                                    +-> failed, cancelled (running again)
 *   destination:  inmigrate -+-> running
 *                            +-> refused: QEMU ends with its reason, which the source cannot see
 *
 * The stream goes over a unix socket in a directory that only this user may open. The directory is
 * removed as soon as both ends are connected. Log and control channel do not move: after the move
 * the guest writes to those of the destination, and the reply to a request under way is lost.
 *
 * At no time do both machines run the guest: a destination that failed is ended before the source
 * goes on.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatFeatures } from "../../../runtime/abi.ts";
import { type Deadline, pollFor } from "../deadline.ts";
import { MigrationError, VmmError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { unsupportedFeatures } from "./features.ts";
import { type MigrationProgress, progressOf } from "./migration-progress.ts";
import type { QemuVmm } from "./qemu.ts";

/** A guest of some hundred MiB moves in seconds; one that dirties memory too fast never arrives. */
const MIGRATE_MS = 120_000;
/** Between two looks at both machines. */
const LOOK_MS = 10;
/** How long QEMU may take to stop a migration that was cancelled. */
const REST_MS = 20_000;
/** How long a failed destination may take to print its reason and end. */
const REASON_MS = 2_000;
/** Final states of a migration. */
const RESTING = ["none", "completed", "failed", "cancelled"];

/**
 * The first QEMU whose live migration is whole where it emulates the processor. An older one does
 * not see the guest write to a page again after it has collected the written pages twice, and
 * that page arrives as it was.
 */
const WHOLE_LIVE_MAJOR = 9;

/** QEMU's own settings of a migration. */
export interface Tuning {
  /** QEMU's migration capabilities by their names, set on both sides: `{ xbzrle: true }`. */
  readonly capabilities?: Readonly<Record<string, boolean>>;
  /** QEMU's migration parameters, set on both sides: `{ "max-bandwidth": 2 ** 20 }` (bytes/s). */
  readonly parameters?: JsonObject;
}

/** What `migrate` is given. */
export interface MigrateOptions extends Tuning, Deadline {
  readonly source: QemuVmm;
  /** Launched with `incoming`, as much memory, and a machine and devices of the same kinds. */
  readonly destination: QemuVmm;
  /**
   * Whether the guest stands still meanwhile; it then goes on if it ran before. Default: it does on
   * a QEMU before 9.0, whose live migration may lose what the guest writes. Hinting needs a guest
   * that runs.
   */
  readonly isStill?: boolean;
  /** Called with each look at the source, up to a hundred times a second. */
  readonly onProgress?: (progress: MigrationProgress) => void;
}

/**
 * Moves the guest. Resolves when it has arrived. The source is then in QEMU's state `postmigrate`:
 * it can be asked and killed, but runs no more. `signal` and `timeoutMs` (default: 2 min) cancel
 * the migration; when the guest has arrived already, it resolves all the same. Rejects with
 * MigrationError, `option`, `qmp-command`, `exited`, `timeout` or the signal's reason. Then the
 * destination has ended (but for `option`), and the source runs if it ran before.
 */
export async function migrate(options: MigrateOptions): Promise<MigrationProgress> {
  const { source, destination, signal } = options;
  const { isStill = source.qmp.version.major < WHOLE_LIVE_MAJOR } = options;
  checkMemory(source, destination);
  await checkIncoming(destination, signal);
  const wasRunning = await checkSource(source, signal);
  if (isStill) await source.pause({ signal });
  const progress = await transfer(options).catch((error: unknown) =>
    callOff({ source, destination, wasRunning, error }),
  );
  if (isStill && wasRunning && destination.hasRun) await destination.resume();
  if (source.hasBalloon && destination.hasBalloon) destination.balloon.takeOver(source.balloon);
  return progress;
}

/** Starts both ends and waits until both say that the guest has moved. */
async function transfer(options: MigrateOptions): Promise<MigrationProgress> {
  const { source, destination, onProgress, signal } = options;
  for (const vm of [destination, source]) await tune(vm, options);
  return withSocketPath(async ({ path, used }) => {
    const args = { uri: `unix:${path}` };
    await destination.execute({ signal, command: "migrate-incoming", args });
    await source.execute({ signal, command: "migrate", args });
    return watch(options, async (deadline) => {
      const progress = await progressOf(source, deadline);
      if (!["none", "setup"].includes(progress.status)) await used();
      onProgress?.(progress);
      const arrived = await hasArrived(destination, deadline);
      checkAlive(progress);
      return arrived && progress.status === "completed" ? progress : undefined;
    });
  });
}

/**
 * Returns the guest's whole state as bytes, for `loadState`: memory, processor and devices. The
 * guest stands still while the last of them are taken, and goes on if it ran before. QEMU saves a
 * paused guest only once until it has run again. On a QEMU before 9.0 pause a guest that writes: as
 * in a migration, what it writes meanwhile may be lost.
 * Rejects with MigrationError, `exited`, `timeout` (default: 2 min) or the signal's reason.
 */
export async function saveState(
  options: { readonly source: QemuVmm } & Tuning & Deadline,
): Promise<Uint8Array> {
  const { source, signal } = options;
  const wasRunning = await checkSource(source, signal);
  try {
    await tune(source, options);
    return await withSocketPath(async ({ path }) => {
      await using receiver = await receive(path);
      const args = { uri: `unix:${path}` };
      await source.execute({ signal, command: "migrate", args });
      return await watch(options, async (deadline) => {
        const progress = await progressOf(source, deadline);
        checkAlive(progress);
        return progress.status === "completed" ? receiver.whole() : undefined;
      });
    });
  } catch (error) {
    await comeToRest(source);
    throw error;
  } finally {
    if (wasRunning) await goOn(source);
  }
}

/**
 * Loads a state of `saveState` into a machine launched with `incoming`. The guest then runs if it
 * ran when it was saved and the machine was not launched `paused`.
 * Rejects with MigrationError, `option`, `timeout` (default: 2 min) or the signal's reason; the
 * machine has ended then (but for `option`).
 */
export async function loadState(
  options: { readonly destination: QemuVmm; readonly state: Uint8Array } & Tuning & Deadline,
): Promise<void> {
  const { destination, state, signal } = options;
  await checkIncoming(destination, signal);
  try {
    await tune(destination, options);
    await withSocketPath(async ({ path }) => {
      const args = { uri: `unix:${path}` };
      await destination.execute({ signal, command: "migrate-incoming", args });
      const socket = connect(path);
      // QEMU stops reading at what it cannot load, and prints the reason itself.
      socket.on("error", () => {});
      socket.end(state);
      await watch(options, async (deadline) => {
        return (await hasArrived(destination, deadline)) || undefined;
      });
    });
  } catch (error) {
    throw await endDestination({ destination, error, sourceSaid: "", sourceState: "saved" });
  }
}

/**
 * Ends a migration that failed or was cancelled: stops it on the source, ends the destination, and
 * lets the source go on. Returns the result when the guest had arrived before it was cancelled.
 */
async function callOff(parts: {
  source: QemuVmm;
  destination: QemuVmm;
  wasRunning: boolean;
  error: unknown;
}): Promise<MigrationProgress> {
  const { source, destination, wasRunning, error } = parts;
  const progress = await comeToRest(source).catch(async (end: unknown) => {
    await destination.kill();
    throw end;
  });
  const sourceState = await runState(source, {});
  const isLate = sourceState === "postmigrate" && !isFailure(error);
  if (isLate && (await arrivesAfterAll(destination))) return progress;
  const sourceSaid = progress.errorText;
  const reason = await endDestination({ destination, error, sourceSaid, sourceState });
  if (wasRunning) await goOn(source);
  throw reason;
}

/** Ends the machine. Returns the error; where QEMU failed, one with QEMU's messages. */
async function endDestination(parts: {
  destination: QemuVmm;
  error: unknown;
  sourceSaid: string;
  sourceState: string;
}): Promise<unknown> {
  const { destination, error, sourceSaid, sourceState } = parts;
  // A failed destination ends by itself, a moment after it has printed the reason.
  if (isFailure(error))
    await Promise.race([destination.exited, sleep(REASON_MS, undefined, { ref: false })]);
  const { complaint } = await destination.kill();
  if (!isFailure(error)) return error;
  const missing = unsupportedFeatures(complaint);
  return new MigrationError({
    sourceSaid,
    sourceState,
    destinationSaid: complaint,
    missing,
    missingNames: formatFeatures(missing),
    cause: error,
  });
}

/** Whether a machine ended or a migration failed, and not the caller gave up. */
function isFailure(error: unknown): boolean {
  return error instanceof VmmError && (error.code === "exited" || error.code === "migration");
}

/** Cancels the migration and waits for its end. */
async function comeToRest(source: QemuVmm): Promise<MigrationProgress> {
  await source.execute({ command: "migrate_cancel" });
  return pollFor({
    what: "the end of a migration that was called off",
    deadline: {},
    defaultMs: REST_MS,
    everyMs: LOOK_MS,
    look: async (deadline) => {
      const progress = await progressOf(source, deadline);
      return RESTING.includes(progress.status) ? progress : undefined;
    },
  });
}

/** After the source has completed: returns whether the guest arrives at the destination. */
async function arrivesAfterAll(destination: QemuVmm): Promise<boolean> {
  const look = async (deadline: Deadline) => (await hasArrived(destination, deadline)) || undefined;
  return watch({ timeoutMs: REST_MS }, look).catch((error: unknown) => {
    if (isFailure(error)) return false;
    throw error;
  });
}

/** Lets a machine run that a migration has stopped. */
async function goOn(source: QemuVmm): Promise<void> {
  if ((await runState(source, {})) !== "running") await source.resume();
}

function watch<T>(
  deadline: Deadline,
  look: (deadline: Deadline) => Promise<T | undefined>,
): Promise<T> {
  const { signal, timeoutMs } = deadline;
  return pollFor({
    what: "the end of a migration",
    deadline: { signal, timeoutMs },
    defaultMs: MIGRATE_MS,
    everyMs: LOOK_MS,
    look,
  });
}

function checkAlive({ status, errorText }: MigrationProgress): void {
  if (status !== "failed" && status !== "cancelled") return;
  const sourceSaid = errorText === "" ? `a migration that is ${status}` : errorText;
  throw new MigrationError({ sourceSaid, sourceState: status });
}

/** QEMU's run state: "running", "paused", "inmigrate", "postmigrate", ... */
async function runState(vm: QemuVmm, deadline: Deadline): Promise<string> {
  const reply = await vm.execute({ ...deadline, command: "query-status" });
  return isJsonObject(reply) ? String(reply.status) : "";
}

async function hasArrived(destination: QemuVmm, deadline: Deadline): Promise<boolean> {
  return (await runState(destination, deadline)) !== "inmigrate";
}

async function tune(vm: QemuVmm, options: Tuning & Deadline): Promise<void> {
  const { capabilities = {}, parameters = {}, signal } = options;
  const args = {
    capabilities: Object.entries(capabilities).map(([capability, state]) => ({
      capability,
      state,
    })),
  };
  await vm.execute({ signal, command: "migrate-set-capabilities", args });
  await vm.execute({ signal, command: "migrate-set-parameters", args: parameters });
}

function checkMemory(source: QemuVmm, destination: QemuVmm): void {
  if (source.memoryBytes === destination.memoryBytes) return;
  throw unfit(
    "destination",
    `${destination.memoryBytes} bytes of memory, not ${source.memoryBytes}`,
    "launch it with as much as the source has",
  );
}

async function checkIncoming(destination: QemuVmm, signal: AbortSignal | undefined) {
  const state = await runState(destination, { signal });
  if (state === "inmigrate") return;
  throw unfit("destination", `a machine that is ${state}`, "launch one with incoming: true for it");
}

/** Returns whether the source runs the guest now. */
async function checkSource(source: QemuVmm, signal: AbortSignal | undefined): Promise<boolean> {
  const state = await runState(source, { signal });
  if (state !== "inmigrate" && state !== "postmigrate") return state === "running";
  throw unfit("source", `a machine that is ${state}`, "give the one that has the guest");
}

function unfit(role: "source" | "destination", seen: string, todo: string): VmmError {
  return new VmmError({ code: "option", what: `${role} of a migration`, seen, todo });
}

/** Makes a directory for a socket. `used` removes it, once both ends are connected. */
async function withSocketPath<T>(
  use: (socket: { path: string; used: () => Promise<void> }) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "ballonet-"));
  const used = () => rm(directory, { recursive: true, force: true });
  try {
    return await use({ path: join(directory, "socket"), used });
  } finally {
    await used();
  }
}

/** Listens at `path` and keeps all bytes that arrive there. */
async function receive(path: string) {
  const parts: Buffer[] = [];
  let isWhole = false;
  const senders: Socket[] = [];
  const server = createServer((socket) => {
    senders.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => parts.push(bytes));
    socket.on("end", () => {
      isWhole = true;
    });
  });
  await new Promise<void>((listening, failed) => {
    server.once("error", failed).listen(path, listening);
  });
  return {
    whole: (): Uint8Array | undefined => (isWhole ? Buffer.concat(parts) : undefined),
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of senders) socket.destroy();
    },
  };
}
