/** A guest that somebody else runs, as a scenario sees it: at rest when it lets the device be. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Device } from "../../device/index.ts";
import { hasDecided, Stillness } from "../effects.ts";
import { GuestEnded, GuestLost, type JudgedGuest, PAGE_BYTES } from "../platform.ts";
import type { DeviceSocket } from "../vfio-user/device-socket.ts";
import type { FileMemory } from "../vfio-user/file-memory.ts";

/** The device's clock is moved this often. */
const TICK_MS = 5;
/** How often the guest is looked at. */
const LOOK_MS = 25;
/** Without an access for so long the guest is taken to be at rest: nobody sees its processor. */
const QUIET_MS = 1500;
/** Accesses without an effect for so long: a driver that looks now and then, or in vain. */
const NO_EFFECT_MS = 3000;
/** How often is told how far the driver is. */
const TELL_MS = 1000;

/** What a guest is made of. */
export interface ServedGuestParts {
  readonly socket: DeviceSocket;
  readonly memory: FileMemory;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  step(about: string, text: string): void;
}

export class ServedGuest implements JudgedGuest {
  readonly device: Device;
  readonly pages: number;
  /** Nobody can be asked to do anything there. */
  readonly system = {};
  /** It stays on this host. */
  readonly left = [];
  private readonly parts: ServedGuestParts;
  private readonly ticks: NodeJS.Timeout;
  private lastMs = performance.now();
  private kept: Device["outcome"] | undefined;
  private told = "";
  private toldMs = 0;

  constructor(parts: ServedGuestParts) {
    this.parts = parts;
    this.device = parts.socket.device;
    this.pages = parts.memory.bytes / PAGE_BYTES;
    this.ticks = setInterval(() => this.tick(), TICK_MS);
  }

  /** As the driver stood when its scenario was over, for a guest may shut down after that. */
  get outcome(): Device["outcome"] {
    return this.kept ?? this.device.outcome;
  }

  /** Gives the driver its time to come up. */
  async comeUp(): Promise<void> {
    this.parts.step("client", "has come; waiting for its driver");
    const endMs = performance.now() + this.parts.timeoutMs;
    try {
      while (!hasDecided(this.device)) {
        if (performance.now() > endMs) return;
        await this.look();
      }
      this.parts.step("driver", this.device.outcome.end);
    } catch (error) {
      // The scenario finds the same, and tells of it.
      if (!(error instanceof GuestEnded)) throw error;
    }
  }

  async rest(): Promise<void> {
    const { socket, timeoutMs } = this.parts;
    const endMs = performance.now() + timeoutMs;
    const stillness = new Stillness();
    while (performance.now() < endMs) {
      const { quietMs, vainMs } = stillness.look(this.device, socket.accesses);
      if ((quietMs > QUIET_MS || vainMs > NO_EFFECT_MS) && this.device.idle) {
        this.tell(0);
        return;
      }
      this.tell(TELL_MS);
      await this.look();
    }
    throw new GuestLost("hung", `the guest does not come to rest in ${timeoutMs / 1000} s`);
  }

  async pass(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs) await this.look();
  }

  /** Resolves when the client has left, or is to be served no more. */
  async untilGone(): Promise<void> {
    this.kept = this.device.outcome;
    try {
      for (;;) await this.look();
    } catch (error) {
      if (!(error instanceof GuestEnded)) throw error;
      this.parts.step("client", error.message);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.ticks);
  }

  /** Lets the guest go on for a moment. @throws GuestEnded */
  private async look(): Promise<void> {
    const { socket, signal } = this.parts;
    if (signal?.aborted) throw this.ended("interrupted");
    if (socket.ended !== undefined) throw this.ended(socket.ended);
    await sleep(LOOK_MS);
  }

  private ended(why: string): GuestEnded {
    this.kept ??= this.device.outcome;
    return new GuestEnded(why);
  }

  private tick(): void {
    const nowMs = performance.now();
    this.device.advance(nowMs - this.lastMs);
    this.lastMs = nowMs;
  }

  /** Tells how far the driver is, when that is news and the last ones are old enough. */
  private tell(leastMs: number): void {
    const { target, heldPages } = this.device;
    const text = `target ${target} pages, ${heldPages} held`;
    const nowMs = performance.now();
    if (text === this.told || nowMs - this.toldMs < leastMs) return;
    [this.told, this.toldMs] = [text, nowMs];
    this.parts.step("driver", text);
  }
}
