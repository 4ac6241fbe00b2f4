/** v86 as a host for tests, which are TypeScript: its threads are of the built program. */

import { v86HostOf } from "../../src/check/hosts/v86.ts";
import type { CheckHostSystem } from "../../src/check/index.ts";

const THREAD = new URL("../../dist/src/check/hosts/v86-thread.js", import.meta.url);

export function v86Host(): CheckHostSystem {
  return v86HostOf(THREAD);
}
