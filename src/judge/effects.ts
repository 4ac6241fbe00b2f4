/** What a driver at work changes on its device: by this a host sees whether it gets on. */
import { type Device, hasFailed } from "../device/index.ts";

const STATUS_DRIVER_OK = 4;

/** Whether the driver is up, or has given its device up. */
export function hasDecided(device: Pick<Device, "status">): boolean {
  return (device.status & STATUS_DRIVER_OK) !== 0 || hasFailed(device);
}

/**
 * Returns all that accesses can change, as a text to compare; without `actual` that is written
 * anew. A driver that tries again and again what cannot be done changes none of it.
 */
function effectsOn(device: Device): string {
  const { heldPages, inflatingPages, deflatingPages, actual, status, stats } = device;
  const { hinting, reportedPages } = device;
  const counted = [hinting.pages, hinting.starts, hinting.stops, reportedPages.buffers];
  const pages = [heldPages, inflatingPages, deflatingPages, actual];
  return [...pages, status, stats.samples, ...counted].join();
}

/** Accesses without an effect for so long: the driver tries again and again what cannot be done. */
const NO_EFFECT_MS = 1500;

/** What one look at a device showed. */
interface Look {
  readonly quietMs: number;
  readonly vainMs: number;
  /** Whether the driver works, and has got nowhere for long: that, too, is rest. */
  readonly isInVain: boolean;
  /** Accesses since the last effect. */
  readonly vainAccesses: number;
}

/** Since when a driver lets its device be, and since when what it does there changes nothing. */
export class Stillness {
  private accesses = -1;
  private effects = "";
  private accessedMs = 0;
  private effectMs = 0;
  private effectAccesses = 0;

  /**
   * Looks at the device once more. Returns how many milliseconds ago there was an access, and an
   * effect: 0 where there was one since the last look.
   */
  look(device: Device, accesses: number): Look {
    const nowMs = performance.now();
    const effects = effectsOn(device);
    if (accesses !== this.accesses) this.accessedMs = nowMs;
    if (effects !== this.effects) {
      this.effectMs = nowMs;
      this.effectAccesses = accesses;
    }
    this.accesses = accesses;
    this.effects = effects;
    const [quietMs, vainMs] = [nowMs - this.accessedMs, nowMs - this.effectMs];
    // A guest that works and leaves its device alone is not at rest.
    const isInVain = quietMs < NO_EFFECT_MS && vainMs > NO_EFFECT_MS;
    return { quietMs, vainMs, isInVain, vainAccesses: accesses - this.effectAccesses };
  }
}
