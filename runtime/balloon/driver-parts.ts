/** What the parts of one driver share. */
import type { CoreExports } from "../core/exports.ts";
import type { Hal } from "../hal.ts";
import type { Giver, Policy } from "../policy/policy.ts";
import type { DeflateMode } from "./deflate-order.ts";
import type { DriverSettings } from "./settings.ts";
import type { StatisticsEntries } from "./statistics.ts";
import type { Totals } from "./status.ts";

/** What may be changed while the driver runs; the deflate mode also while it is brought up. */
export interface Tunables {
  policy: Policy;
  deflateMode: DeflateMode;
  /** Free pages that inflating leaves to the guest. */
  reservePages: number;
}

/** What in a guest can give memory: see GIVERS. */
export interface MemoryGiver {
  /** Pages that caches could give; undefined: nobody can be asked at present. */
  offeredPages(): number | undefined;
  /** Begins to give so many pages. They become free later, or never. */
  ask(from: Giver, pages: number): void;
}

export interface DriverParts {
  readonly hal: Hal;
  readonly core: CoreExports;
  readonly settings: DriverSettings;
  readonly tunables: Tunables;
  readonly totals: Totals;
  /** The statistics of this moment. */
  sample(): StatisticsEntries;
  readonly giver?: MemoryGiver;
}
