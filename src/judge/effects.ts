/** What a driver at work changes on its device: by this a host sees whether it gets on. */
import type { Device } from "../device/index.ts";

/**
 * Returns all that accesses can change, as a text to compare; without `actual` that is written
 * anew. A driver that tries again and again what cannot be done changes none of it.
 */
export function effectsOn(device: Device): string {
  const { heldPages, inflatingPages, deflatingPages, actual, status, stats } = device;
  const { hinting, reportedPages } = device;
  const counted = [hinting.pages, hinting.starts, hinting.stops, reportedPages.buffers];
  const pages = [heldPages, inflatingPages, deflatingPages, actual];
  return [...pages, status, stats.samples, ...counted].join();
}
