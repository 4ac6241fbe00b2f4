/** What a behaviour is: what another project's test looks at, on any host. */
import type { DeviceWishes, HostAbility } from "../hosts/host.ts";
import type { Field } from "./field.ts";

/** One behaviour of a host with a guest whose balloon works. */
export interface Behaviour {
  /** The project and its test: `firecracker/test_rss_memory_lower`. */
  readonly name: string;
  /** Tests of other projects that look at the same. */
  readonly like?: readonly string[];
  /** What is seen: the rest of a sentence that begins with "a host". */
  readonly text: string;
  /** What the host has to be able to do. */
  readonly needs: readonly HostAbility[];
  /** The device that it is about. Default: the host's own. */
  readonly device?: DeviceWishes;
  /** Whether it has to begin before the guest is up. */
  readonly isFromBoot?: boolean;
  /** Whether only its own project promises it: others may do otherwise. */
  readonly isTheirsAlone?: boolean;
  /** Ids of checks that say the same: these run, in place of `run`. */
  readonly checks?: readonly string[];
  /** Throws Missed when it is not so, and LeftOut where it cannot be seen. */
  run?(field: Field): Promise<void>;
}
