/** All statements, by what they are about. */

import type { Statement } from "../statement.ts";
import { balloonStatements } from "./balloon.ts";
import { basicStatements } from "./basic.ts";
import { legacyStatements } from "./legacy.ts";
import { mmioStatements } from "./mmio.ts";
import { packedStatements } from "./packed.ts";
import { pciStatements } from "./pci.ts";
import { splitStatements } from "./split.ts";

export const statements: readonly Statement[] = [
  ...basicStatements,
  ...splitStatements,
  ...packedStatements,
  ...pciStatements,
  ...legacyStatements,
  ...mmioStatements,
  ...balloonStatements,
];
