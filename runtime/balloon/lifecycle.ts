/**
 * The life cycle of a driver: how its device comes up and goes away.
 *
 *   idle --------- start ---+      +------------- needs-reset (bounded) ------------+
 *   stopped ------ start ---+      v                                                |
 *   suspended ---- resume --+-> starting -- ready ------------> running ------------+
 *   gone --------- attach --+      |                              |
 *                                  +--- stop, suspend ------------+--> stopping -- reset -->
 *                                  |                              |       ^   stopped, suspended
 *                                  |                              |       +--- stop, suspend ---+
 *                                  +--- fail ---------------------+--> failed ------------------+
 *
 *   idle -- stop, suspend --> stopped, suspended        suspended -- stop --> stopped
 *   stopping -- stop --> stopping, for good             stopping -- resume --> starting
 *   stopping -- not-reset --> stopping, one poll later  stopping -- fail --> failed
 *   any state -- leave --> gone
 *
 * An event that a state has no arrow for changes nothing.
 */
import type { BallonetError } from "../errors.ts";
import type { BringUp } from "../virtio/bring-up.ts";

/** Where a driver is. Each state carries only what its next step needs. */
export type DriverState =
  | { readonly name: "idle" }
  | { readonly name: "starting"; readonly bringUp: BringUp }
  | { readonly name: "running"; readonly sinceMs: number }
  | { readonly name: "stopping"; readonly end: "stopped" | "suspended"; readonly polls: number }
  | { readonly name: "stopped" }
  | { readonly name: "suspended" }
  | { readonly name: "failed"; readonly error: BallonetError }
  | { readonly name: "gone" };

/**
 * - `idle`: never started.
 * - `starting`: the device is brought up, or brought up again because it needed a reset.
 * - `running`: the driver follows its policy.
 * - `stopping`: the device is being reset, on the way to `stopped` or `suspended`.
 * - `stopped`, `suspended`: at rest, and every page is the guest's. `start` or `resume` goes on.
 * - `failed`: the device did not come up or broke a rule. It gets nothing more, and keeps its
 *   pages.
 * - `gone`: there is no device, and every page is the guest's.
 */
export type DriverStateName = DriverState["name"];

/** What happens to a driver. */
export type DriverEvent =
  | {
      readonly name: "start" | "resume" | "attach" | "needs-reset";
      readonly bringUp: BringUp;
    }
  | { readonly name: "ready"; readonly nowMs: number }
  | { readonly name: "stop" | "suspend" | "not-reset" | "reset" | "leave" }
  | { readonly name: "fail"; readonly error: BallonetError };

/** Returns the state after `event`: `state` itself where it has no such arrow. */
export function nextState(state: DriverState, event: DriverEvent): DriverState {
  const { name } = state;
  switch (event.name) {
    case "start":
      return name === "idle" || name === "stopped" ? starting(event.bringUp) : state;
    case "resume": {
      const isSuspending = name === "stopping" && state.end === "suspended";
      return name === "suspended" || isSuspending ? starting(event.bringUp) : state;
    }
    case "attach":
      return name === "gone" ? starting(event.bringUp) : state;
    case "needs-reset":
      return name === "running" ? starting(event.bringUp) : state;
    case "ready":
      return name === "starting" ? { name: "running", sinceMs: event.nowMs } : state;
    case "stop":
      if (name === "suspended") return { name: "stopped" };
      return name === "stopping" ? { ...state, end: "stopped" } : halted(state, "stopped");
    case "suspend":
      return halted(state, "suspended");
    case "not-reset":
      return name === "stopping" ? { ...state, polls: state.polls + 1 } : state;
    case "reset":
      return name === "stopping" ? { name: state.end } : state;
    case "fail":
      return { name: "failed", error: event.error };
    case "leave":
      return { name: "gone" };
  }
}

function starting(bringUp: BringUp): DriverState {
  return { name: "starting", bringUp };
}

/** A device that was never started needs no reset. */
function halted(state: DriverState, end: "stopped" | "suspended"): DriverState {
  if (state.name === "idle") return { name: end };
  const isUp = state.name === "starting" || state.name === "running" || state.name === "failed";
  return isUp ? { name: "stopping", end, polls: 0 } : state;
}
