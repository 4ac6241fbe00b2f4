/**
 * The guest's manners, chosen on its command line: personas, ways to deflate, interrupts alone.
 *
 * Whatever the manners, targets are reached and the workload stays whole.
 */
import { describe, expect, it } from "vitest";
import { DEFLATE_MODES } from "../../../runtime/balloon/deflate-order.ts";
import { PERSONA_NAMES, type PersonaName } from "../../../runtime/balloon/personas.ts";
import type { QemuVmm } from "../../../src/vmm/qemu/qemu.ts";
import {
  ARCHITECTURES,
  allocate,
  ask,
  BOOT_MS,
  guestAt,
  inflateTo,
  MIB,
  PAGES_PER_MIB,
  PLACES,
  placeName,
  qemuGuest,
  statusOf,
  useGuests,
  verifyAll,
} from "../../support/guests.ts";

useGuests();

const memoryBytes = 64 * MIB;
const PAGES = 32 * PAGES_PER_MIB;
const LEFT_PAGES = 1000;
const DEFLATEQ = 1;
/** What the driver puts into one buffer at most, unless told otherwise. */
const PFNS_PER_BUFFER = 256;
/** Longer than any test here may take, so that only an interrupt can be in time. */
const POLL_MS = 600_000;

/** Pages of which a persona has a multiple. */
const UNITS: { readonly [persona in PersonaName]?: number } = { nanos: 256 };

/** How many buffers the host has taken from a queue, modulo 2^16: its own count. */
async function taken(vm: QemuVmm, queue: number): Promise<number> {
  return Number((await vm.balloon.queueStatus({ queue }))["last-avail-idx"]);
}

describe.each(ARCHITECTURES)("qemu %s", (arch) => {
  for (const mode of DEFLATE_MODES) {
    it(`${mode}: pages come back, and the host is told as the mode says`, async (context) => {
      const append = `ballonet.deflate=${mode}`;
      const vm = await qemuGuest(context, { arch, machine: "q35", memoryBytes, append });
      const handle = await allocate(vm, 256, 1);
      await inflateTo(vm, PAGES);
      expect((await statusOf(vm)).deflateMode).toBe(mode);
      const before = await taken(vm, DEFLATEQ);
      await inflateTo(vm, LEFT_PAGES);
      const told = (await taken(vm, DEFLATEQ)) - before;
      if (mode === "silent") expect(told).toBe(0);
      else expect(told).toBeGreaterThanOrEqual((PAGES - LEFT_PAGES) / PFNS_PER_BUFFER);
      // The frames that came back are the guest's own: it fills most of them.
      await allocate(vm, 8 * PAGES_PER_MIB, 2);
      expect((await verifyAll(vm)).mismatches).toBe(0);
      await ask(vm, "workload.free", { handle });
      await inflateTo(vm, PAGES);
      expect((await verifyAll(vm)).mismatches).toBe(0);
    });
  }

  it("the way to deflate can be changed while it runs", async (context) => {
    const vm = await qemuGuest(context, { arch, machine: "pc", memoryBytes });
    for (const mode of DEFLATE_MODES) {
      expect(await ask(vm, "deflate.set", { mode })).toEqual({ mode });
      await inflateTo(vm, PAGES);
      const before = await taken(vm, DEFLATEQ);
      await inflateTo(vm, LEFT_PAGES);
      expect((await taken(vm, DEFLATEQ)) > before).toBe(mode !== "silent");
    }
  });

  for (const persona of PERSONA_NAMES) {
    it(`${persona}: boots and follows the target`, async (context) => {
      const append = `ballonet.persona=${persona}`;
      const vm = await qemuGuest(context, { arch, machine: "pc", memoryBytes, append });
      await allocate(vm, 256, 3);
      for (const pages of [PAGES, LEFT_PAGES, PAGES + 1]) {
        await vm.balloon.setTarget({ pages });
        const whole = UNITS[persona] ?? 1;
        const reached = Math.ceil(pages / whole) * whole;
        await vm.balloon.waitForActual({ pages: reached, timeoutMs: BOOT_MS });
      }
      expect((await verifyAll(vm)).mismatches).toBe(0);
      expect((await statusOf(vm)).persona).toBe(persona);
    });
  }
});

describe.each(PLACES.map((place) => ({ place, name: placeName(place) })))("$name", ({ place }) => {
  it("a new target reaches the guest by an interrupt", async (context) => {
    const append = `ballonet.poll=${POLL_MS}`;
    const vm = await guestAt(context, place, { memoryBytes, append });
    // No request to the guest in between: that would wake it as well.
    for (const pages of [PAGES, LEFT_PAGES, PAGES, 0]) await inflateTo(vm, pages);
    await vm.balloon.setTarget({ pages: 5 });
    await vm.balloon.waitForActual({ pages: 5 });
    expect((await statusOf(vm)).uptimeMs).toBeLessThan(POLL_MS);
  });
});
