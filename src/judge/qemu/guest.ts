/** A guest of QEMU with the reference device: a scenario's way to it, and when it is at rest. */
import { setTimeout as sleep } from "node:timers/promises";
import { VmmError } from "../../vmm/index.ts";
import { hasDecided, Stillness } from "../effects.ts";
import { MovableGuest, type RenewDevice } from "../movable-guest.ts";
import { GuestLost, type JudgedGuest, PAGE_BYTES, type SystemActions } from "../platform.ts";
import type { QemuHost } from "./host.ts";

/** How often the guest is looked at while it comes to rest. */
const LOOK_MS = 25;

/** Without an access for so long, and its processor halted, the guest is at rest. */
const QUIET_MS = 200;

/** An interrupt is under way by other processes, which a busy machine may let wait for so long. */
const DELIVERY_MS = 5000;

/** Looks in a row at a processor that is halted. */
const HALTED_LOOKS = 3;

/** The longest time for a system to boot and its driver to come up, in ms. */
const COME_UP_MS = 60_000;

/** What a guest is made of. */
interface QemuGuestParts {
  readonly host: QemuHost;
  readonly renew: RenewDevice;
  /** What the system can be asked to do; each is asked while the guest runs. */
  readonly system: SystemActions;
  readonly signal: AbortSignal;
  /** Milliseconds in which it must come to rest. */
  readonly timeoutMs: number;
  /** Whether the machine goes on when the guest is closed. */
  readonly goesOn: boolean;
}

export class QemuGuest extends MovableGuest implements JudgedGuest {
  readonly pages: number;
  readonly system: SystemActions;
  private readonly host: QemuHost;
  private readonly signal: AbortSignal;
  private readonly timeoutMs: number;
  private readonly goesOn: boolean;

  constructor(parts: QemuGuestParts) {
    super(parts.host.device, parts.renew);
    this.host = parts.host;
    this.signal = parts.signal;
    this.timeoutMs = parts.timeoutMs;
    this.goesOn = parts.goesOn;
    this.pages = parts.host.vmm.memoryBytes / PAGE_BYTES;
    this.system = Object.fromEntries(
      Object.entries(parts.system).map(([name, act]) => [name, this.running(act)]),
    );
  }

  /** Gives a driver whose system runs its time to come up. */
  comeUp(): Promise<void> {
    return this.rest().catch(leaveToScenario);
  }

  /** Boots the system, and returns when its driver is up or has had its time. */
  boot(): Promise<void> {
    return this.host.run(() => this.untilUp()).catch(leaveToScenario);
  }

  rest(): Promise<void> {
    return this.host.run(() => this.untilRest());
  }

  async pass(ms: number): Promise<void> {
    await this.host.run(() => sleep(ms, undefined, { signal: this.signal }));
  }

  async close(): Promise<void> {
    if (!this.goesOn) await this.host.end();
  }

  private running(act: (...given: never[]) => Promise<unknown>) {
    return (...given: never[]) => this.host.run(() => act(...given)).catch(lostIfSilent);
  }

  private async untilUp(): Promise<void> {
    const endMs = performance.now() + Math.min(COME_UP_MS, this.timeoutMs);
    while (performance.now() < endMs) {
      if (hasDecided(this.device)) return;
      // Asks for what it needs not know, to hear of the machine's end.
      await this.host.isHalted();
      await sleep(LOOK_MS, undefined, { signal: this.signal });
    }
  }

  private async untilRest(): Promise<void> {
    const { host, signal } = this;
    const endMs = performance.now() + this.timeoutMs;
    const stillness = new Stillness();
    let halted = 0;
    while (performance.now() < endMs) {
      const { quietMs, vainMs, isInVain } = stillness.look(this.device, host.accesses);
      if (quietMs === 0) halted = 0;
      const isTold = !this.device.interruptPending || vainMs > DELIVERY_MS;
      if (isInVain && isTold && this.device.idle) return;
      const neededMs = this.device.interruptPending ? DELIVERY_MS : QUIET_MS;
      if (quietMs > neededMs && this.device.idle) {
        halted = (await host.isHalted()) ? halted + 1 : 0;
        if (halted >= HALTED_LOOKS) return;
      }
      await sleep(LOOK_MS, undefined, { signal });
    }
    throw new GuestLost("hung", `the guest does not come to rest in ${this.timeoutMs / 1000} s`);
  }
}

/** The scenario finds the same, and tells of it. */
function leaveToScenario(error: unknown): void {
  if (!(error instanceof GuestLost)) throw error;
}

/** A guest that does not answer a request is one that hangs. */
function lostIfSilent(error: unknown): never {
  if (error instanceof VmmError && error.code === "timeout") {
    throw new GuestLost("hung", error.seen);
  }
  throw error;
}
