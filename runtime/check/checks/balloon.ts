/** Checks of the balloon itself (virtio 1.3, 5.5). */
import { BALLOON_CONFIG, BALLOON_FEATURE, STAT, STAT_LENGTH } from "../../balloon/constants.ts";
import { ISR } from "../../virtio/constants.ts";
import { type Bench, expect, need } from "../bench.ts";
import { type Check, inSection } from "../check.ts";
import { Life } from "../life.ts";
import type { Part, Ring } from "../ring.ts";

const { STATS_VQ, FREE_PAGE_HINT, PAGE_POISON, PAGE_REPORTING } = BALLOON_FEATURE;

/** A tag that no specification has. */
const UNKNOWN_TAG = 0x7abc;

/** Writes statistics, each a tag and the lower half of its value. */
function statistics(life: Life, entries: readonly (readonly [number, number])[]): Part {
  const { memory } = life.bench;
  const address = life.bench.take(STAT_LENGTH * entries.length);
  entries.forEach(([tag, value], n) => {
    const at = address + STAT_LENGTH * n;
    [tag, value & 0xffff, value >>> 16, 0, 0].forEach((half, place) => {
      memory.write(at + 2 * place, 2, half);
    });
  });
  return { address, length: STAT_LENGTH * entries.length };
}

/** Has the host ask for these statistics. Returns what it then shows. */
function shown(
  bench: Bench,
  entries: readonly (readonly [number, number])[],
): Readonly<Record<string, string>> {
  const life = new Life(bench);
  life.negotiate({ needs: [STATS_VQ] });
  const ring = life.queue(life.queueOf(STATS_VQ));
  // The first buffer is only kept.
  ring.post([statistics(life, entries)]);
  life.driverOk();
  life.notify(ring);
  bench.quiet();
  bench.ask({ do: "ask-statistics" });
  life.awaitUsed(ring);
  ring.post([statistics(life, entries)]);
  life.notify(ring);
  bench.quiet();
  return bench.ask({ do: "statistics" }).tags ?? {};
}

const SAMPLE = [
  [STAT.MEMFREE, 0x0123_0000],
  [STAT.MEMTOT, 0x0456_0000],
  [STAT.AVAIL, 0x0089_0000],
] as const;

function expectSample(tags: Readonly<Record<string, string>>): void {
  for (const [tag, value] of SAMPLE) {
    const seen = `tag ${tag} shows ${tags[tag] ?? "nothing"} of ${value}`;
    expect(tags[tag] === String(value), seen);
  }
}

const memoryStatistics = inSection("5.5.6.3.2", [
  [
    "STATS-UNKNOWN",
    "MUST",
    "ignores statistics with tags that it does not know",
    (bench) => {
      const [first, ...rest] = SAMPLE;
      expectSample(shown(bench, [first, [UNKNOWN_TAG, 0x1234], ...rest]));
    },
  ],
  [
    "STATS-ORDER",
    "MUST",
    "takes statistics in any order",
    (bench) => expectSample(shown(bench, [...SAMPLE].reverse())),
  ],
]);

/** A device that is up and hints. */
function hinting(bench: Bench): { life: Life; ring: Ring } {
  const life = new Life(bench);
  life.negotiate({ needs: [FREE_PAGE_HINT], wants: [STATS_VQ] });
  const ring = life.queue(life.queueOf(FREE_PAGE_HINT));
  life.queue(0);
  life.driverOk();
  return { life, ring };
}

const STOP = 0;
const DONE = 1;

function commandId(bench: Bench): number {
  return bench.device.readConfig(BALLOON_CONFIG.freePageHintCmdId);
}

/** Tells the device of a block of hints, or with STOP of its end. */
function command({ life, ring }: ReturnType<typeof hinting>, id: number): void {
  const address = life.bench.take(4);
  life.bench.memory.write(address, 4, id);
  life.serve(ring, [{ address, length: 4 }]);
}

/** The host begins a run. Returns its id. */
function beginRun(bench: Bench): number {
  bench.ask({ do: "hint" });
  const began = bench.until(() => commandId(bench) > DONE);
  expect(began, `free_page_hint_cmd_id ${commandId(bench)} in a run`);
  return commandId(bench);
}

const MARK = 0x5a5a_1234;

const freePageHinting = inSection("5.5.6.5.2", [
  [
    "HINT-ID",
    "MUST NOT",
    "gives no run the id of the last before the driver has sent STOP",
    (bench) => {
      hinting(bench);
      const first = beginRun(bench);
      const second = beginRun(bench);
      expect(second !== first, `both runs have the id ${first}, and no STOP came between`);
    },
  ],
  [
    "HINT-STALE",
    "MUST",
    "ignores pages that come with another id than the current one",
    (bench) => {
      const up = hinting(bench);
      const id = beginRun(bench);
      const stale = up.life.range(1, MARK);
      command(up, id ^ 0x100);
      up.life.serve(up.ring, [stale]);
      const isKept = bench.holds(stale.address / 4096, MARK);
      expect(isKept, "a page with a wrong id lost its contents");
    },
  ],
  [
    "HINT-AFTER-DONE",
    "MUST NOT",
    "changes no hinted page after DONE",
    (bench) => {
      const up = hinting(bench);
      const id = beginRun(bench);
      command(up, id);
      const hinted = up.life.range(1, MARK);
      up.life.serve(up.ring, [hinted]);
      command(up, STOP);
      bench.ask({ do: "hint-done" });
      need(
        bench.until(() => commandId(bench) === DONE),
        "an end of the run",
      );
      for (let byte = 0; byte < hinted.length; byte += 4) {
        bench.memory.write(hinted.address + byte, 4, MARK);
      }
      const late = up.life.range(1, MARK);
      up.life.serve(up.ring, [late]);
      bench.quiet();
      const isKept = [hinted, late].every(({ address }) => bench.holds(address / 4096, MARK));
      expect(isKept, "a page lost its contents after DONE");
    },
  ],
  [
    "HINT-DONE",
    "MUST",
    "shows DONE when it has no more need of the pages",
    (bench) => {
      const up = hinting(bench);
      command(up, beginRun(bench));
      up.life.serve(up.ring, [up.life.range(1, MARK)]);
      command(up, STOP);
      bench.ask({ do: "hint-done" });
      const isDone = bench.until(() => commandId(bench) === DONE);
      expect(isDone, `free_page_hint_cmd_id ${commandId(bench)} after the run`);
    },
  ],
]);

const POISON = 0x6b6b_6b6b;

const freePageReporting = inSection("5.5.6.7.2", [
  [
    "REPORT-POISON",
    "MUST NOT",
    "leaves reported pages with poison_val and nothing else, with PAGE_POISON",
    (bench) => {
      const life = new Life(bench);
      life.negotiate({ needs: [PAGE_REPORTING, PAGE_POISON], wants: [STATS_VQ, FREE_PAGE_HINT] });
      const ring = life.queue(life.queueOf(PAGE_REPORTING));
      bench.device.writeConfig(BALLOON_CONFIG.poisonVal, POISON);
      life.driverOk();
      const reported = life.range(2, POISON);
      life.serve(ring, [reported]);
      for (const n of [0, 1]) {
        expect(
          bench.holds(reported.address / 4096 + n, POISON),
          `page ${n + 1} has other contents`,
        );
      }
    },
  ],
]);

/** Not in the specification as a sentence of its own: what all of 5.5.6 rests on. */
const target = inSection("4.1.4.5.1", [
  [
    "CONFIG-EVENT",
    "MUST",
    "sets the configuration bit of the ISR status before it tells of a change",
    (bench) => {
      Life.start(bench);
      const before = bench.device.readConfig(BALLOON_CONFIG.numPages);
      bench.device.takeEvents();
      const pages = before === 16 ? 32 : 16;
      bench.ask({ do: "target", pages });
      const changed = bench.until(() => bench.device.readConfig(BALLOON_CONFIG.numPages) === pages);
      expect(changed, `num_pages ${bench.device.readConfig(BALLOON_CONFIG.numPages)}`);
      const told = bench.until(() => (bench.device.takeEvents() & ISR.CONFIG) !== 0);
      bench.ask({ do: "target", pages: 0 });
      expect(told, "num_pages changed, and no bit told of it");
    },
  ],
]);

export const balloonChecks: readonly Check[] = [
  ...memoryStatistics,
  ...freePageHinting,
  ...freePageReporting,
  ...target,
];
