/** What an image of this project can be asked to do, by its control channel. */
import { setTimeout as sleep } from "node:timers/promises";
import { type ControlClient, ControlReplyError, type JsonObject } from "../vmm/index.ts";
import { GuestLost, PAGE_BYTES, type SystemActions } from "./platform.ts";

/** How often a guest is asked whether its driver has done what it was told, in ms. */
const LOOK_MS = 20;

/** States of a driver that comes to no other one. */
const ENDED = ["failed", "gone"];

/**
 * Returns the actions; each is to be called while the guest runs and its log has said that it is
 * ready.
 */
export function imageActions(
  control: ControlClient,
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
): SystemActions {
  const { signal, timeoutMs } = limits;
  const handles: number[] = [];
  const ask = async (method: string, params: JsonObject = {}) =>
    (await control.request({ method, params, ...limits })) as JsonObject;
  const allocate = async (frames: number): Promise<number> => {
    if (frames === 0) return 0;
    const seed = handles.length + 1;
    const { handle } = await ask("workload.allocate", { frames, seed });
    handles.push(Number(handle));
    return frames;
  };
  const until = async (state: string): Promise<void> => {
    const endMs = performance.now() + timeoutMs;
    while (performance.now() < endMs) {
      const seen = (await ask("status")).state;
      // The device shows what became of a driver that gave up.
      if ([state, ...ENDED].includes(String(seen))) return;
      await sleep(LOOK_MS, undefined, { signal });
    }
    throw new GuestLost("hung", `the driver is not ${state} after ${timeoutMs / 1000} s`);
  };
  return {
    usePages: (pages) =>
      allocate(pages).catch((error: unknown) => allocate(Math.min(pages, availableOf(error)))),
    dropPages: async () => {
      const { mismatches } = await ask("workload.verify");
      for (const handle of handles.splice(0)) await ask("workload.free", { handle });
      return Math.ceil(Number(mismatches) / PAGE_BYTES);
    },
    unbind: async () => {
      await ask("suspend");
      await until("suspended");
    },
    bind: async () => {
      await ask("resume");
      await until("running");
    },
  };
}

/** How many frames the guest could give instead. @throws the error when it is another one. */
function availableOf(error: unknown): number {
  const detail = error instanceof ControlReplyError ? (error.detail as JsonObject | null) : null;
  if (typeof detail?.available !== "number") throw error;
  return detail.available;
}
