/**
 * What a guest changes about its driver when it does not trust its host, as that of a confidential
 * machine: settings and nothing else, each of which may be set by itself.
 */
import type { DriverSettings } from "./settings.ts";

/** How far a host may be trusted, most first. */
export const HOST_TRUSTS = ["trusted", "untrusted"] as const;
/** How far a guest trusts its host: as most do, or only as far as it has to. */
export type HostTrust = (typeof HOST_TRUSTS)[number];

export const UNTRUSTED_HOST = {
  /** A host that asks for everything gets half, so the guest's own half is never a question. */
  targetSharePercent: 50,
  /** 256 MiB a second: to fill so much, given or returned, costs some percent of one processor. */
  movePagesPerSecond: 65_536,
  /** A turn without pages costs some microseconds. */
  turnsPerSecond: 1000,
  scrubGiven: true,
  scrubReturned: true,
  statisticsDetail: "coarse",
  /** As many as it may move. */
  reportPagesPerSecond: 65_536,
} as const satisfies Partial<DriverSettings>;
