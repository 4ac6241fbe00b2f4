/** The table of waits in DEBUGGING.md: no wait is missing in it, and each bound is as it says. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/package.ts";
import { kernelC, product } from "../tidy/source-files.ts";

const ROOT = packageFolder();
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");

interface Wait {
  readonly most: string;
  readonly constant: string;
  readonly file: string;
  readonly test: string;
}

const ROW = /^\| [^|]+ \| ([^|]+) \| `([A-Z0-9_]+)` in `([^`]+)` \| ([^|]+) \|$/gm;
const waits: readonly Wait[] = [...read("DEBUGGING.md").matchAll(ROW)].map(
  ([, most = "", constant = "", file = "", test = ""]) => ({ most, constant, file, test }),
);

/** Where waits are: the driver, the kernel and what starts and drives machines. */
const ROOMS = [
  "runtime/balloon/",
  "runtime/kernel/",
  "runtime/policy/",
  "runtime/virtio/",
  "src/session/",
  "src/vmm/",
];
const CONSTANT =
  /^(?:export )?(?:const|#define) +([A-Z0-9_]*(?:_MS|POLLS_MAX|_TICKS))\b *=? *([\d_.]+(?:e\d+)?)?/gm;

/** How often something is looked at, how much is done at once, how old something is: no waits. */
const NO_WAITS: Readonly<Record<string, readonly string[]>> = {
  "runtime/balloon/allowance.ts": ["NEVER_MS", "PORTION_MS"],
  "runtime/balloon/driver.ts": ["RESTART_FORGIVEN_MS", "RESET_WAIT_MS"],
  "runtime/balloon/free-page-hinting.ts": ["ANNOUNCEMENT_MS", "NOTIFY_AGAIN_MS"],
  "runtime/balloon/free-page-reporting.ts": ["PORTION_MS"],
  "runtime/balloon/personas.ts": ["HARDLY_EVER_MS"],
  "runtime/balloon/turn.ts": ["NEVER_MS", "QUEUE_RESET_WAIT_MS"],
  "runtime/kernel/guest.ts": ["NAP_MS", "POLL_MS"],
  "runtime/kernel/boot/platform/alarm.c": ["DEADLINE_SLICE_MS", "PIT_SLICE_MS", "SECOND_MS"],
  "runtime/kernel/boot/platform/date.c": ["DAY_MS"],
  "runtime/kernel/boot/platform/wait.c": ["LOOK_MS"],
  "runtime/kernel/boot/engine.h": ["AMID_MS"],
  "runtime/kernel/boot/heap.c": ["LATER_MS"],
  "runtime/kernel/boot/program.c": ["AGAIN_MS", "GAVE_MS", "GUEST_LATE_MS", "LOOK_MS"],
  "runtime/policy/gentle.ts": ["GENTLE_HOLD_OFF_MS", "PORTION_MS"],
  "src/session/script.ts": ["POLL_MS", "PROGRESS_MS"],
  "src/vmm/deadline.ts": ["MAX_TIMEOUT_MS"],
  "src/vmm/qemu/balloon.ts": ["ACTUAL_POLL_MS", "STATISTICS_POLL_MS"],
  "src/vmm/qemu/migration.ts": ["LOOK_MS"],
  "src/vmm/v86/balloon.ts": ["ACTUAL_POLL_MS"],
};

const found = [...product, ...kernelC]
  .filter(({ name }) => ROOMS.some((room) => name.startsWith(room)))
  .flatMap(({ name, text }) =>
    [...text.matchAll(CONSTANT)].map(([, constant = "", value]) => ({
      ...{ file: name, constant },
      value: value === undefined ? Number.NaN : Number(value.replaceAll("_", "")),
    })),
  );

function textOf({ constant, value }: (typeof found)[number]): string {
  const count = (number: number) => number.toLocaleString("en");
  if (constant.endsWith("_TICKS")) return `${count(value)} ticks`;
  if (constant.endsWith("POLLS_MAX")) return `${value} looks`;
  return value >= 1000 ? `${value / 1000} s` : `${value} ms`;
}

describe("the table of waits", () => {
  it("has every constant of a wait", () => {
    const known = ({ file, constant }: (typeof found)[number]) =>
      waits.some((it) => it.file === file && it.constant === constant) ||
      NO_WAITS[file]?.includes(constant);
    expect(found.filter((one) => !known(one))).toEqual([]);
    const gone = Object.entries(NO_WAITS).flatMap(([file, names]) =>
      names.filter((name) => !found.some((it) => it.file === file && it.constant === name)),
    );
    expect(gone).toEqual([]);
  });

  it.each(waits)("$constant in $file is $most", ({ most, constant, file, test }) => {
    const one = found.find((it) => it.file === file && it.constant === constant);
    expect(one).toBeDefined();
    if (one !== undefined) expect(most.startsWith(textOf(one)), textOf(one)).toBe(true);
    const [, name = "", words = ""] = /^`([^`]+)`: (.+)$/.exec(test) ?? [];
    expect(existsSync(join(ROOT, name)), name).toBe(true);
    expect(read(name)).toContain(words);
  });
});
