/** All mutants, in the order of the files that they break. */
import { balloonMutants } from "./balloon.ts";
import { bringUpMutants } from "./bring-up.ts";
import { deviceMutants } from "./devices.ts";
import { freePageMutants } from "./free-pages.ts";
import { lifecycleMutants } from "./lifecycle.ts";
import { mmioMutants } from "./mmio.ts";
import type { Mutant } from "./mutant.ts";
import { packedMutants } from "./packed.ts";
import { pciMutants } from "./pci.ts";
import { ringMutants } from "./ring.ts";
import { transportMutants } from "./transports.ts";
import { untrustedMutants } from "./untrusted.ts";

export const mutants: readonly Mutant[] = [
  ...bringUpMutants,
  ...pciMutants,
  ...transportMutants,
  ...mmioMutants,
  ...deviceMutants,
  ...ringMutants,
  ...balloonMutants,
  ...packedMutants,
  ...freePageMutants,
  ...lifecycleMutants,
  ...untrustedMutants,
];
