/** Checks of a queue's own reset and of both kinds of ring (virtio 1.3, 2.6 to 2.8). */
import { FEATURE, ISR } from "../../virtio/constants.ts";
import { type Bench, expect, need } from "../bench.ts";
import { type Check, inSection } from "../check.ts";
import { Life } from "../life.ts";
import { PackedRing, type Part, type Ring, type SplitRing, UNSET } from "../ring.ts";

/** Resets queue 0 by itself and waits for it. */
function resetQueue(bench: Bench): void {
  const { device } = bench;
  device.write("queueSelect", 0);
  device.write("queueReset", 1);
  const done = bench.until(() => {
    device.write("queueSelect", 0);
    return device.read("queueReset") === 0 && device.read("queueEnable") === 0;
  });
  expect(done, "a queue's reset does not end");
}

const ringReset = { needs: [FEATURE.RING_RESET] };

const queueReset = inSection("2.6.1.1.1", [
  [
    "QUEUE-RESET-QUIET",
    "MUST NOT",
    "serves and notifies nothing of a queue that was reset",
    (bench) => {
      const { life, ring } = Life.split(bench, ringReset);
      const page = life.onePage();
      resetQueue(bench);
      bench.device.takeEvents();
      ring.post([page]);
      life.notify(ring);
      bench.quiet();
      expect(ring.usedIdx === 0, "a buffer of a queue that was reset is used");
      const events = bench.device.takeEvents();
      expect((events & ISR.QUEUE) === 0, `ISR status ${events}`);
    },
  ],
  [
    "QUEUE-RESET-STATE",
    "MUST",
    "forgets the state of a queue that is reset",
    (bench) => {
      const { life, ring } = Life.split(bench, ringReset);
      for (let n = 0; n < 3; n++) life.serve(ring, [life.onePage()]);
      resetQueue(bench);
      const fresh = life.splitQueue(0);
      life.serve(fresh, [life.onePage()]);
      expect(fresh.usedIdx === 1, `used idx ${fresh.usedIdx} after the first buffer`);
    },
  ],
]);

const queueAgain = inSection("2.6.1.2.1", [
  [
    "QUEUE-RESET-SETUP",
    "MUST",
    "goes by what was set up anew after a queue's reset",
    (bench) => {
      const { life, ring } = Life.split(bench, ringReset);
      life.serve(ring, [life.onePage()]);
      resetQueue(bench);
      const fresh = life.splitQueue(0, 4);
      for (let n = 0; n < 6; n++) life.serve(fresh, [life.onePage()]);
      expect(ring.usedIdx === 1, "the ring of before is used");
    },
  ],
]);

/** The marks of two pages. */
const MARKS = [0x1111_2222, 0x3333_4444] as const;

/**
 * Inflates two pages, each named in a part of its own, beside one that is named in a whole buffer.
 * What a device does to the one, it has to do to the others.
 */
function inParts(
  bench: Bench,
  how: { readonly indirectFrom?: number; readonly strayWrite?: boolean },
): void {
  const needs = how.indirectFrom === undefined ? [] : [FEATURE.INDIRECT_DESC];
  const { life, ring } = Life.split(bench, { needs });
  const whole = bench.page(MARKS[0]);
  life.serve(ring, [life.pfns([whole])]);
  const split = MARKS.map((mark) => bench.page(mark));
  life.serve(
    ring,
    split.map((pfn) => life.pfns([pfn])),
    how,
  );
  if (bench.holds(whole, MARKS[0])) return;
  split.forEach((pfn, n) => {
    const seen = `the page in part ${n + 1} is not taken; one in a single buffer is`;
    expect(!bench.holds(pfn, MARKS[n] as number), seen);
  });
}

/** All words of a piece of memory. */
function wordsOf(bench: Bench, { address, length }: Part): string {
  const words: number[] = [];
  for (let byte = 0; byte < length; byte += 4) words.push(bench.memory.read(address + byte, 4));
  return words.join();
}

/** Serves one buffer of several pages, and tells whether the device left the memory as it was. */
function keeps(
  bench: Bench,
  wants: readonly number[],
  what: (ring: Ring, part: Part) => Part,
): boolean {
  const { life, ring } = Life.start(bench, { wants });
  const part = life.pfns([0, 1, 2].map(() => bench.page(0)));
  ring.post([part]);
  const watched = what(ring, part);
  const before = wordsOf(bench, watched);
  life.notify(ring);
  life.awaitUsed(ring);
  return before === wordsOf(bench, watched);
}

const framing = inSection("2.7.4.1", [
  [
    "FRAMING",
    "MUST NOT",
    "does not care how a buffer is split into descriptors",
    (bench) => inParts(bench, {}),
  ],
]);

const descriptors = inSection("2.7.5.1", [
  [
    "SPLIT-READABLE",
    "MUST NOT",
    "writes nothing into a device-readable buffer",
    (bench) =>
      expect(
        keeps(bench, [], (_, part) => part),
        "the buffer was written to",
      ),
  ],
  [
    "SPLIT-TABLE",
    "MUST NOT",
    "writes nothing into the descriptor table",
    (bench) => {
      const table = (ring: Ring): Part => ({ address: ring.areas[0], length: 16 * ring.size });
      expect(keeps(bench, [], table), "the descriptor table was written to");
    },
  ],
  [
    "SPLIT-WRITABLE",
    "SHOULD NOT",
    "does not read a device-writable buffer",
    (bench) => {
      const { life, ring } = Life.split(bench);
      const taken = bench.page(MARKS[0]);
      const other = bench.page(MARKS[1]);
      const isServed = () => {
        ring.post([life.pfns([taken]), { ...life.pfns([other]), writable: true }]);
        life.notify(ring);
        return bench.until(() => ring.usedIdx === 1, 50);
      };
      if (isServed()) expect(bench.holds(other, MARKS[1]), "a page named there is taken");
    },
  ],
]);

const indirect = inSection("2.7.5.3.2", [
  [
    "INDIRECT-WRITE-FLAG",
    "MUST",
    "ignores the write flag of a descriptor that refers to a table",
    (bench) => inParts(bench, { indirectFrom: 0, strayWrite: true }),
  ],
  [
    "INDIRECT-CHAINED",
    "MUST",
    "takes normal descriptors followed by one that refers to a table",
    (bench) => inParts(bench, { indirectFrom: 1 }),
  ],
]);

/** Serves one buffer with these settings of the ring. Returns the events that it raised. */
function eventsOf(bench: Bench, wants: readonly number[], set: (ring: SplitRing) => void): number {
  const { life, ring } = Life.split(bench, { needs: wants });
  set(ring);
  bench.device.takeEvents();
  life.serve(ring, [life.onePage()]);
  bench.until(() => false, 2);
  return bench.device.takeEvents() & ISR.QUEUE;
}

/** Not the index of the first buffer. */
const FAR = 0x4000;
const eventIdx = [FEATURE.EVENT_IDX];

const usedNotifications = inSection("2.7.7.2", [
  [
    "USED-EVENT-IGNORED",
    "MUST",
    "ignores used_event without EVENT_IDX",
    (bench) => {
      const far = (ring: SplitRing) => {
        ring.usedEvent = FAR;
      };
      expect(eventsOf(bench, [], far) !== 0, "no notification with used_event far away");
    },
  ],
  [
    "USED-FLAG-QUIET",
    "SHOULD NOT",
    "sends no notification while flags is 1, without EVENT_IDX",
    (bench) => {
      const seen = "a notification with flags 1";
      expect(eventsOf(bench, [], (ring) => ring.wantInterrupts(false)) === 0, seen);
    },
  ],
  [
    "USED-FLAG-NOTIFY",
    "MUST",
    "sends a notification while flags is 0, without EVENT_IDX",
    (bench) => {
      expect(eventsOf(bench, [], () => undefined) !== 0, "no notification with flags 0");
    },
  ],
  [
    "EVENT-FLAG-IGNORED",
    "MUST",
    "ignores flags with EVENT_IDX",
    (bench) => {
      const seen = "no notification with flags 1 and used_event reached";
      expect(eventsOf(bench, eventIdx, (ring) => ring.wantInterrupts(false)) !== 0, seen);
    },
  ],
  [
    "EVENT-NOTIFY",
    "MUST",
    "sends a notification when it reaches used_event, with EVENT_IDX",
    (bench) => {
      const { life, ring } = Life.split(bench, { needs: eventIdx });
      ring.usedEvent = 2;
      for (let n = 0; n < 2; n++) life.serve(ring, [life.onePage()]);
      bench.device.takeEvents();
      life.serve(ring, [life.onePage()]);
      const told = bench.until(() => (bench.device.takeEvents() & ISR.QUEUE) !== 0);
      expect(told, "no notification when used_event is reached");
    },
  ],
  [
    "EVENT-QUIET",
    "SHOULD NOT",
    "sends no notification before it reaches used_event, with EVENT_IDX",
    (bench) => {
      const far = (ring: SplitRing) => {
        ring.usedEvent = FAR;
      };
      expect(eventsOf(bench, eventIdx, far) === 0, "a notification long before used_event");
    },
  ],
]);

const usedRing = inSection("2.7.8.2", [
  [
    "USED-LENGTH-SET",
    "MUST",
    "sets the length of a used buffer before the index",
    (bench) => {
      const { life, ring } = Life.split(bench);
      const { length } = life.serve(ring, [life.onePage()]);
      expect(length !== UNSET, "len is what it was before");
    },
  ],
  [
    "USED-LENGTH-WRITTEN",
    "MUST",
    "says no greater length than it has written",
    (bench) => {
      const { life, ring } = Life.split(bench);
      const { length } = life.serve(ring, [life.onePage()]);
      expect(length === 0 || length === UNSET, `len ${length} of a buffer that it may only read`);
    },
  ],
]);

/** Serves buffers, and returns what the device's flags were at any time. */
function flagsSeen(bench: Bench, needs: readonly number[]): number {
  const { life, ring } = Life.split(bench, { needs });
  let flags = ring.usedFlags;
  for (let n = 0; n < 4; n++) {
    ring.post([life.onePage()]);
    life.notify(ring);
    bench.until(() => {
      flags |= ring.usedFlags;
      return ring.takeUsed() !== undefined;
    });
    flags |= ring.usedFlags;
  }
  return flags;
}

const availNotifications = inSection("2.7.10.2", [
  [
    "USED-FLAGS-PLAIN",
    "MUST",
    "sets flags to 0 or 1 without EVENT_IDX",
    (bench) => {
      const flags = flagsSeen(bench, []);
      expect((flags & ~1) === 0, `flags ${flags}`);
    },
  ],
  [
    "USED-FLAGS-EVENT",
    "MUST",
    "sets flags to 0 with EVENT_IDX",
    (bench) => {
      const flags = flagsSeen(bench, eventIdx);
      expect(flags === 0, `flags ${flags}`);
    },
  ],
  [
    "SPURIOUS",
    "MUST",
    "bears notifications without a buffer",
    (bench) => {
      const { life, ring } = Life.split(bench);
      for (let n = 0; n < 3; n++) life.notify(ring);
      life.serve(ring, [life.onePage()]);
      for (let n = 0; n < 3; n++) life.notify(ring);
      bench.quiet();
      expect(ring.usedIdx === 1, `used idx ${ring.usedIdx} after one buffer`);
      life.serve(ring, [life.onePage()]);
    },
  ],
]);

const packedWants = [FEATURE.RING_PACKED];

function packed(bench: Bench): { life: Life; ring: PackedRing } {
  const { life, ring } = Life.start(bench, { needs: packedWants });
  need(ring instanceof PackedRing, "a packed ring");
  return { life, ring: ring as PackedRing };
}

const packedRing = inSection("2.8.12", [
  [
    "PACKED-ORDER",
    "MUST",
    "processes a packed ring's descriptors in their order, lap after lap",
    (bench) => {
      const { life, ring } = packed(bench);
      for (let n = 0; n < 2 * ring.size + 1; n++) {
        const given = ring.post([life.onePage()]);
        life.notify(ring);
        const { id } = life.awaitUsed(ring);
        expect(id === given, `buffer ${given} was given, ${id} came back`);
      }
    },
  ],
]);

const packedTable = inSection("2.8.15", [
  [
    "PACKED-READABLE",
    "MUST NOT",
    "writes nothing into a device-readable buffer of a packed ring",
    (bench) => {
      need(packed(bench).ring.size > 0, "a packed ring");
      expect(
        keeps(bench, packedWants, (_, part) => part),
        "the buffer was written to",
      );
    },
  ],
  [
    "PACKED-AVAIL",
    "MUST NOT",
    "uses no descriptor that was not made available",
    (bench) => {
      const { life, ring } = packed(bench);
      const at = ring.postBehindGap(life.onePage());
      const before = bench.memory.read(at + 14, 2);
      life.notify(ring);
      bench.quiet();
      expect(ring.takeUsed() === undefined, "a descriptor is used that was not available");
      expect(bench.memory.read(at + 14, 2) === before, "a descriptor behind a gap is used");
    },
  ],
  [
    "PACKED-USED-KEPT",
    "MUST NOT",
    "leaves a descriptor alone once it is marked used",
    (bench) => {
      const { life, ring } = packed(bench);
      life.serve(ring, [life.onePage()]);
      const used: Part = { address: ring.areas[0], length: 16 };
      const before = wordsOf(bench, used);
      life.serve(ring, [life.onePage()]);
      expect(before === wordsOf(bench, used), "a used descriptor has changed");
    },
  ],
]);

const packedChains = inSection("2.8.18", [
  [
    "PACKED-CHAIN",
    "MUST",
    "uses the descriptors of a list in their order",
    (bench) => {
      const { life, ring } = packed(bench);
      for (let n = 0; n < 2; n++) {
        const pages = MARKS.map((mark) => bench.page(mark));
        const given = ring.post(pages.map((pfn) => life.pfns([pfn])));
        life.notify(ring);
        const { id } = life.awaitUsed(ring);
        expect(id === given, `list ${given} was given, ${id} came back`);
      }
      const given = ring.post([life.onePage()]);
      life.notify(ring);
      const { id } = life.awaitUsed(ring);
      expect(id === given, `buffer ${given} behind two lists comes back as ${id}`);
    },
  ],
]);

export const queueChecks: readonly Check[] = [
  ...queueReset,
  ...queueAgain,
  ...framing,
  ...descriptors,
  ...indirect,
  ...usedNotifications,
  ...usedRing,
  ...availNotifications,
  ...packedRing,
  ...packedTable,
  ...packedChains,
];
