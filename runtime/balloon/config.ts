/** The fields of the device configuration: what is read, and what is written when. */
import { STATUS, STATUS_GONE } from "../virtio/constants.ts";
import { goneError, type Transport } from "../virtio/transport.ts";
import { BALLOON_CONFIG } from "./constants.ts";
import type { DriverSettings } from "./settings.ts";
import type { Totals } from "./status.ts";

/** What one look at the device configuration has found. */
export interface ConfigSeen {
  /** num_pages: the pages that the host asks for. */
  readonly target: number;
  /** free_page_hint_cmd_id, where it was asked for. */
  readonly command: number | undefined;
}

/** The configuration of one device, from its reset to the next. */
export class DeviceConfig {
  /** `actual` as last written since the reset; what the device kept from before is unknown. */
  actualWritten = 0;
  private readonly transport: Transport;
  private readonly settings: DriverSettings;
  private readonly totals: Totals;

  constructor(transport: Transport, settings: DriverSettings, totals: Totals) {
    this.transport = transport;
    this.settings = settings;
    this.totals = totals;
  }

  /**
   * Reads the target, and the hinting command `withCommand`. Returns "reset" when the device needs
   * one: it says so, or somebody else did it already.
   * @throws BallonetError `device-gone`.
   */
  read(withCommand: boolean): ConfigSeen | "reset" {
    const { transport } = this;
    const { freePageHintCmdId } = BALLOON_CONFIG;
    const command = withCommand ? transport.readConfig(freePageHintCmdId) : undefined;
    const target = transport.readConfig(BALLOON_CONFIG.numPages);
    // Last: while the device was there until now, what was read before came from it.
    const status = transport.status();
    if (status === STATUS_GONE) throw goneError(transport);
    if (status === 0 || (status & STATUS.DEVICE_NEEDS_RESET) !== 0) return "reset";
    return { target, command };
  }

  /**
   * Writes `actual` where it is not `pages` yet, in one 32-bit store (virtio 1.3, 5.5.6.1 and .2);
   * some drivers write it buffer by buffer.
   */
  updateActual(pages: number): void {
    const { actualWrites, pfnsPerBuffer } = this.settings;
    const stride = actualWrites === "each-buffer" ? pfnsPerBuffer : Number.POSITIVE_INFINITY;
    while (this.actualWritten !== pages) {
      const change = pages - this.actualWritten;
      this.writeActual(this.actualWritten + Math.max(-stride, Math.min(stride, change)));
    }
  }

  /** Writes `actual`, changed or not. */
  writeActual(pages: number): void {
    this.transport.writeConfig(BALLOON_CONFIG.actual, pages);
    this.actualWritten = pages;
    this.totals.actualWrites += 1;
    if (this.settings.actualReadBack) this.transport.readConfig(BALLOON_CONFIG.actual);
  }

  /** Tells the device what free memory is filled with. Only with PAGE_POISON, before DRIVER_OK. */
  writePoison(value: number): void {
    this.transport.writeConfig(BALLOON_CONFIG.poisonVal, value);
  }
}
