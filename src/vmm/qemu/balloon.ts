/**
 * QEMU's balloon, commanded over QMP.
 *
 * QEMU counts the bytes that the guest keeps: num_pages = (ram - value) >> 12. It refuses a value
 * of 0 and cuts one that is more than the RAM. Here targets are pages in the balloon, and are
 * checked first, so QEMU never takes a number as another one.
 */

import { PolledBalloon, targetPages } from "../balloon.ts";
import { type Deadline, pollFor } from "../deadline.ts";
import { VmmError } from "../errors.ts";
import { asBigInt, formatJson, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import {
  type Balloon,
  type BalloonState,
  type BalloonStatistics,
  type BalloonTarget,
  type Negotiated,
  PAGE_BYTES,
  type StatisticName,
} from "../vmm.ts";
import { BALLOON_ID } from "./arguments.ts";
import { featureBits, statusBits } from "./features.ts";

/** `actual` is polled: QEMU emits BALLOON_CHANGE at most once a second, which is too rare. */
const ACTUAL_POLL_MS = 10;
const STATISTICS_POLL_MS = 20;
/** Seconds between QEMU's requests for statistics; 1 is its minimum. */
const POLLING_INTERVAL_S = 1;
/** How much of an unexpected reply an error quotes. */
const MAX_QUOTED_CHARS = 200;
/** QEMU's value for a statistic that the guest did not report. */
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

interface QemuBalloonParts {
  /** Runs one QMP command. */
  readonly execute: (
    options: { command: string; args?: JsonObject } & Deadline,
  ) => Promise<JsonValue>;
  readonly memoryBytes: number;
  /** Returns what the guest said last, for time-outs. */
  readonly describeLog: () => string;
}

/** The balloon of a machine that QEMU runs. It does not hint on request: QEMU hints to migrate. */
export class QemuBalloon extends PolledBalloon implements Balloon {
  protected readonly pollMs = ACTUAL_POLL_MS;
  private readonly parts: QemuBalloonParts;
  private readonly path = `/machine/peripheral/${BALLOON_ID}`;
  private backendPath: string | undefined;
  private targetPages = 0;
  private polling = false;

  constructor(parts: QemuBalloonParts) {
    super(parts.describeLog);
    this.parts = parts;
  }

  async setTarget(
    options: BalloonTarget & Deadline,
  ): Promise<{ pages: number; guestBytes: number }> {
    const { memoryBytes, execute } = this.parts;
    const pages = targetPages({ target: options, memoryBytes });
    const guestBytes = memoryBytes - pages * PAGE_BYTES;
    await execute({ ...deadlineOf(options), command: "balloon", args: { value: guestBytes } });
    this.targetPages = pages;
    return { pages, guestBytes };
  }

  /** For migrations: the guest's target moved with it, and QEMU does not report it. */
  takeOver(source: QemuBalloon): void {
    this.targetPages = source.targetPages;
  }

  async query(options: Deadline = {}): Promise<BalloonState> {
    const { memoryBytes, execute } = this.parts;
    const reply = await execute({ ...options, command: "query-balloon" });
    const guestBytes = isJsonObject(reply) ? asBigInt(reply.actual) : undefined;
    if (guestBytes === undefined) throw unexpected("query-balloon", reply);
    const actualPages = Number((BigInt(memoryBytes) - guestBytes) / BigInt(PAGE_BYTES));
    return { actualPages, targetPages: this.targetPages };
  }

  async statistics(options: { fresh?: boolean } & Deadline = {}): Promise<BalloonStatistics> {
    const before = await this.readStatistics(deadlineOf(options));
    if (options.fresh === false) return before;
    await this.startPolling(deadlineOf(options));
    return pollFor({
      ...this.statisticsWait(options),
      everyMs: STATISTICS_POLL_MS,
      look: async (deadline) => {
        const now = await this.readStatistics(deadline);
        return (now.lastUpdateMs ?? 0) > (before.lastUpdateMs ?? 0) ? now : undefined;
      },
    });
  }

  async negotiated(options: Deadline = {}): Promise<Negotiated> {
    const reply = await this.parts.execute({
      ...options,
      command: "x-query-virtio-status",
      args: { path: await this.backend(options) },
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
  async queueStatus(options: { queue: number } & Deadline): Promise<JsonObject> {
    const reply = await this.parts.execute({
      ...deadlineOf(options),
      command: "x-query-virtio-queue-status",
      args: { path: await this.backend(deadlineOf(options)), queue: options.queue },
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

  /** On PCI the virtio device is a child of the device on the bus; on MMIO there is no other. */
  private async backend(options: Deadline): Promise<string> {
    if (this.backendPath !== undefined) return this.backendPath;
    const reply = await this.parts.execute({ ...options, command: "x-query-virtio" });
    const devices: readonly JsonValue[] = Array.isArray(reply) ? reply : [];
    const paths = devices.map((device) => (isJsonObject(device) ? String(device.path) : ""));
    const found = paths.find((path) => `${path}/`.startsWith(`${this.path}/`));
    if (found === undefined) throw unexpected("x-query-virtio", reply);
    this.backendPath = found;
    return found;
  }

  private async startPolling(options: Deadline): Promise<void> {
    if (this.polling) return;
    await this.parts.execute({
      ...options,
      command: "qom-set",
      args: {
        path: this.path,
        property: "guest-stats-polling-interval",
        value: POLLING_INTERVAL_S,
      },
    });
    this.polling = true;
  }

  private async readStatistics(options: Deadline): Promise<BalloonStatistics> {
    const reply = await this.parts.execute({
      ...options,
      command: "qom-get",
      args: { path: this.path, property: "guest-stats" },
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

function deadlineOf({ signal, timeoutMs }: Deadline): Deadline {
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
