/** Statistics by the names that Firecracker and crosvm give them: `swap_in` and the like. */

import type { BalloonStatistics, StatisticName } from "../../vmm/index.ts";
import { asBigInt, type JsonObject } from "../../vmm/json.ts";

const NAMES: Readonly<Record<string, StatisticName>> = {
  swap_in: "swapIn",
  swap_out: "swapOut",
  major_faults: "majorFaults",
  minor_faults: "minorFaults",
  free_memory: "freeMemory",
  total_memory: "totalMemory",
  available_memory: "availableMemory",
  disk_caches: "diskCaches",
  hugetlb_allocations: "hugetlbAllocations",
  hugetlb_failures: "hugetlbFailures",
};

/** Returns the statistics in an answer of the VMM; what it leaves out or has null, is not there. */
export function statisticsIn(answer: JsonObject): BalloonStatistics {
  const tags = Object.fromEntries(
    Object.entries(NAMES).flatMap(([name, statistic]) => {
      const value = asBigInt(answer[name]);
      return value === undefined ? [] : [[statistic, value]];
    }),
  );
  return { tags, lastUpdateMs: Object.keys(tags).length > 0 ? Date.now() : undefined };
}
