/**
 * QEMU's balloon, commanded over QMP.
 *
 * It knows QEMU's commands for the balloon and how they count, and nothing of processes or sockets.
 * QEMU speaks of what the guest keeps, in bytes: num_pages = (ram - value) >> 12, a value of 0 is
 * an error and more than the RAM is cut; here targets are pages in the balloon.
 *
 * Invariant: no number reaches QEMU that QEMU would take as another one.
 */

import { STATISTICS_MS, targetPages, waitForActual } from "../balloon.ts";
import { type Patience, pollFor } from "../deadline.ts";
import { VmmError } from "../errors.ts";
import { asBigInt, formatJson, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import type {
  Balloon,
  BalloonState,
  BalloonStatistics,
  BalloonTarget,
  Negotiated,
  StatisticName,
} from "../vmm.ts";
import { PAGE_BYTES } from "../vmm.ts";
import { BALLOON_ID } from "./arguments.ts";
import { featureBits, statusBits } from "./features.ts";

/** QEMU emits BALLOON_CHANGE at most once a second: too rare to wait for, so `actual` is polled. */
const ACTUAL_POLL_MS = 10;
const STATISTICS_POLL_MS = 20;
/** Seconds between two requests of QEMU for statistics: the least that it can do. */
const POLLING_INTERVAL_S = 1;
/** How much of an unexpected reply an error quotes. */
const MAX_QUOTED_CHARS = 200;
/** QEMU's "the guest did not say". */
const UNSET = 0xffff_ffff_ffff_ffffn;

const STATISTIC_OF_NAME: Readonly<Record<string, StatisticName>> = {
  "stat-swap-in": "swapIn",
  "stat-swap-out": "swapOut",
  "stat-major-faults": "majorFaults",
  "stat-minor-faults": "minorFaults",
  "stat-free-memory": "freeMemory",
  "stat-total-memory": "totalMemory",
  "stat-available-memory": "availableMemory",
  "stat-disk-caches": "diskCaches",
  "stat-htlb-pgalloc": "hugetlbAllocations",
  "stat-htlb-pgfail": "hugetlbFailures",
  "stat-oom-kills": "oomKills",
  "stat-alloc-stalls": "allocationStalls",
  "stat-async-scans": "asyncScans",
  "stat-direct-scans": "directScans",
  "stat-async-reclaims": "asyncReclaims",
  "stat-direct-reclaims": "directReclaims",
};

export interface QemuBalloonParts {
  /** Runs one QMP command. */
  readonly execute: (
    options: { command: string; args?: JsonObject } & Patience,
  ) => Promise<JsonValue>;
  readonly memoryBytes: number;
  /** For time-outs: what the guest said last. */
  readonly describeLog: () => string;
}

export class QemuBalloon implements Balloon {
  readonly #parts: QemuBalloonParts;
  readonly #path = `/machine/peripheral/${BALLOON_ID}`;
  #backendPath: string | undefined;
  #targetPages = 0;
  #polling = false;

  constructor(parts: QemuBalloonParts) {
    this.#parts = parts;
  }

  async setTarget(
    options: BalloonTarget & Patience,
  ): Promise<{ pages: number; guestBytes: number }> {
    const { memoryBytes, execute } = this.#parts;
    const pages = targetPages({ target: options, memoryBytes });
    const guestBytes = memoryBytes - pages * PAGE_BYTES;
    await execute({ ...patienceOf(options), command: "balloon", args: { value: guestBytes } });
    this.#targetPages = pages;
    return { pages, guestBytes };
  }

  /** For migrations: the guest brought its target along, which QEMU does not tell. */
  takeOver(source: QemuBalloon): void {
    this.#targetPages = source.#targetPages;
  }

  async query(options: Patience = {}): Promise<BalloonState> {
    const { memoryBytes, execute } = this.#parts;
    const reply = await execute({ ...options, command: "query-balloon" });
    const guestBytes = isJsonObject(reply) ? asBigInt(reply.actual) : undefined;
    if (guestBytes === undefined) throw unexpected("query-balloon", reply);
    const actualPages = Number((BigInt(memoryBytes) - guestBytes) / BigInt(PAGE_BYTES));
    return { actualPages, targetPages: this.#targetPages };
  }

  waitForActual(
    options: { pages: number; onProgress?: (actualPages: number) => void } & Patience,
  ): Promise<BalloonState> {
    return waitForActual({
      ...options,
      everyMs: ACTUAL_POLL_MS,
      query: (patience) => this.query(patience),
      describeLog: this.#parts.describeLog,
    });
  }

  async statistics(options: { fresh?: boolean } & Patience = {}): Promise<BalloonStatistics> {
    const before = await this.#readStatistics(patienceOf(options));
    if (options.fresh === false) return before;
    await this.#startPolling(patienceOf(options));
    return pollFor({
      what: "statistics from the guest",
      patience: options,
      defaultMs: STATISTICS_MS,
      everyMs: STATISTICS_POLL_MS,
      seen: this.#parts.describeLog,
      look: async (patience) => {
        const now = await this.#readStatistics(patience);
        return (now.lastUpdateMs ?? 0) > (before.lastUpdateMs ?? 0) ? now : undefined;
      },
    });
  }

  async negotiated(options: Patience = {}): Promise<Negotiated> {
    const reply = await this.#parts.execute({
      ...options,
      command: "x-query-virtio-status",
      args: { path: await this.#backend(options) },
    });
    if (!isJsonObject(reply)) throw unexpected("x-query-virtio-status", reply);
    return {
      offered: featureBits(reply["host-features"]),
      accepted: featureBits(reply["guest-features"]),
      status: statusBits(reply.status),
    };
  }

  /**
   * One queue as QEMU sees it (`x-query-virtio-queue-status`): index 0 inflate, 1 deflate, 2
   * statistics; members as QEMU names them.
   */
  async queueStatus(options: { queue: number } & Patience): Promise<JsonObject> {
    const reply = await this.#parts.execute({
      ...patienceOf(options),
      command: "x-query-virtio-queue-status",
      args: { path: await this.#backend(patienceOf(options)), queue: options.queue },
    });
    if (!isJsonObject(reply)) throw unexpected("x-query-virtio-queue-status", reply);
    return reply;
  }

  async hint(): Promise<never> {
    throw new VmmError({
      code: "not-supported",
      what: "free page hinting on QEMU",
      seen: "a request to hint now",
      todo: "migrate the machine: QEMU asks for hints only then",
    });
  }

  /** On PCI the virtio device is a child of the one on the bus; on MMIO it is that one itself. */
  async #backend(options: Patience): Promise<string> {
    if (this.#backendPath !== undefined) return this.#backendPath;
    const reply = await this.#parts.execute({ ...options, command: "x-query-virtio" });
    const devices: readonly JsonValue[] = Array.isArray(reply) ? reply : [];
    const paths = devices.map((device) => (isJsonObject(device) ? String(device.path) : ""));
    const found = paths.find((path) => `${path}/`.startsWith(`${this.#path}/`));
    if (found === undefined) throw unexpected("x-query-virtio", reply);
    this.#backendPath = found;
    return found;
  }

  async #startPolling(options: Patience): Promise<void> {
    if (this.#polling) return;
    await this.#parts.execute({
      ...options,
      command: "qom-set",
      args: {
        path: this.#path,
        property: "guest-stats-polling-interval",
        value: POLLING_INTERVAL_S,
      },
    });
    this.#polling = true;
  }

  async #readStatistics(options: Patience): Promise<BalloonStatistics> {
    const reply = await this.#parts.execute({
      ...options,
      command: "qom-get",
      args: { path: this.#path, property: "guest-stats" },
    });
    const values = isJsonObject(reply) ? reply.stats : undefined;
    const lastUpdateS = isJsonObject(reply) ? asBigInt(reply["last-update"]) : undefined;
    if (!isJsonObject(values) || lastUpdateS === undefined) throw unexpected("guest-stats", reply);
    const tags: Partial<Record<StatisticName, bigint>> = {};
    for (const [name, value] of Object.entries(values)) {
      const statistic = STATISTIC_OF_NAME[name];
      const number = asBigInt(value);
      if (statistic !== undefined && number !== undefined && number !== UNSET) {
        tags[statistic] = number;
      }
    }
    return { tags, lastUpdateMs: lastUpdateS === 0n ? undefined : Number(lastUpdateS) * 1000 };
  }
}

function patienceOf({ signal, timeoutMs }: Patience): Patience {
  return { signal, timeoutMs };
}

function unexpected(what: string, reply: JsonValue): VmmError {
  return new VmmError({
    code: "protocol",
    what: `QEMU's reply to ${what}`,
    seen: formatJson({ reply }).slice(0, MAX_QUOTED_CHARS),
    todo: "check that this version of QEMU is supported",
  });
}
