/** Checks of virtio over MMIO (virtio 1.3, 4.2). */
import { BALLOON_CONFIG } from "../../balloon/constants.ts";
import { FEATURE, ISR, MMIO, MMIO_MAGIC, MMIO_VERSION } from "../../virtio/constants.ts";
import type { Region } from "../../virtio/region.ts";
import { type Bench, expect, LeftOut } from "../bench.ts";
import { type Check, inSection } from "../check.ts";
import { Life } from "../life.ts";
import { resetAfterEnable, resetOfQueue } from "./pci.ts";

function mmioOf(bench: Bench): Region {
  const { mmio } = bench.device;
  if (mmio === undefined) throw new LeftOut("MMIO");
  return mmio;
}

/** A device that has used a buffer and was not acknowledged. */
function raised(bench: Bench): { life: Life; events(): number } {
  const registers = mmioOf(bench);
  const { life, ring } = Life.split(bench);
  life.serve(ring, [life.onePage()]);
  const events = () => registers.read(MMIO.interruptStatus);
  bench.until(() => events() !== 0, 20);
  return { life, events };
}

function queueField(bench: Bench, field: "queueEnable" | "queueReset", needs: number[]): void {
  mmioOf(bench);
  const { life } = Life.start(bench, { needs });
  life.reset();
  if (needs.length > 0) life.negotiate({ needs });
  life.select(0);
  const value = bench.device.read(field);
  expect(value === 0, `${field} reads ${value} after a reset`);
}

export const mmioChecks: readonly Check[] = inSection("4.2.2.1", [
  [
    "MMIO-MAGIC",
    "MUST",
    "returns the magic value",
    (bench) => {
      const seen = mmioOf(bench).read(MMIO.magicValue);
      expect(seen === MMIO_MAGIC, `MagicValue ${seen.toString(16)}`);
    },
  ],
  [
    "MMIO-VERSION",
    "MUST",
    "returns version 2",
    (bench) => {
      const seen = mmioOf(bench).read(MMIO.version);
      expect(seen === MMIO_VERSION.modern, `Version ${seen}`);
    },
  ],
  [
    "MMIO-EVENT",
    "MUST",
    "shows an event until it is acknowledged",
    (bench) => {
      const { events } = raised(bench);
      const twice = [events(), events()];
      expect(
        twice.every((seen) => (seen & ISR.QUEUE) !== 0),
        `InterruptStatus ${twice.join(", ")}`,
      );
      mmioOf(bench).write(MMIO.interruptAck, ISR.QUEUE);
      expect((events() & ISR.QUEUE) === 0, "the event is shown after it was acknowledged");
    },
  ],
  [
    "MMIO-EVENT-BITS",
    "MUST",
    "shows no bit of an event that did not happen",
    (bench) => {
      const { events } = raised(bench);
      expect(events() === ISR.QUEUE, `InterruptStatus ${events()} for a used buffer`);
    },
  ],
  [
    "MMIO-RESET-EVENTS",
    "MUST",
    "clears InterruptStatus at a reset",
    (bench) => {
      const { events } = raised(bench);
      bench.device.write("deviceStatus", 0);
      bench.until(() => bench.device.read("deviceStatus") === 0);
      expect(events() === 0, `InterruptStatus ${events()} after a reset`);
    },
  ],
  [
    "MMIO-RESET-READY",
    "MUST",
    "clears QueueReady at a reset",
    (bench) => queueField(bench, "queueEnable", []),
  ],
  [
    "MMIO-GENERATION",
    "MUST",
    "changes ConfigGeneration when its configuration may be read inconsistently",
    (bench) => {
      mmioOf(bench);
      const { device } = bench;
      new Life(bench).negotiate();
      const read = () => device.readConfig(BALLOON_CONFIG.numPages);
      bench.ask({ do: "target", pages: 0 });
      read();
      const before = device.read("configGeneration");
      bench.ask({ do: "target", pages: 64 });
      bench.until(() => read() === 64);
      const after = device.read("configGeneration");
      bench.ask({ do: "target", pages: 0 });
      expect(after !== before, `ConfigGeneration stays ${before}`);
    },
  ],
  [
    "MMIO-NOT-READY",
    "MUST NOT",
    "does not touch a queue while QueueReady is 0",
    (bench) => {
      mmioOf(bench);
      const { life, ring } = Life.split(bench);
      life.serve(ring, [life.onePage()]);
      life.select(0);
      bench.device.write("queueEnable", 0);
      bench.until(() => bench.device.read("queueEnable") === 0);
      const before = ring.usedIdx;
      ring.post([life.onePage()]);
      life.notify(ring);
      bench.quiet();
      expect(ring.usedIdx === before, "a buffer is used while QueueReady is 0");
    },
  ],
  [
    "MMIO-QRESET-RESET",
    "MUST",
    "shows 0 in QueueReset after a reset",
    (bench) => queueField(bench, "queueReset", [FEATURE.RING_RESET]),
  ],
  [
    "MMIO-QRESET-ENABLED",
    "MUST",
    "shows 0 in QueueReset once the queue is ready",
    (bench) => {
      mmioOf(bench);
      resetAfterEnable(bench);
    },
  ],
  [
    "MMIO-QRESET",
    "MUST",
    "resets a queue when 1 is written to QueueReset, and shows when it is done",
    (bench) => {
      mmioOf(bench);
      resetOfQueue(bench);
    },
  ],
]);
