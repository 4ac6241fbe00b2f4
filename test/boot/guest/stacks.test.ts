/** The program's stacks, while the driver has its turns amid the program's. */
import { writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { runProgram } from "../../../src/session/run-program.ts";
import type { Vmm } from "../../../src/vmm/vmm.ts";
import { ARCHITECTURES, ask } from "../../support/guests.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { useProgramFolder } from "../support/program-folder.ts";

const inFolder = useProgramFolder();

/** Each turn goes as deep as it can. */
const DEEP = `
import { exit, serve } from "ballonet/guest";
const depths = { least: Number.POSITIVE_INFINITY, most: 0, turns: 0 };
const depth = (): number => { try { return 1 + depth(); } catch { return 1; } };
setInterval(() => {
  const seen = depth();
  depths.least = Math.min(depths.least, seen);
  depths.most = Math.max(depths.most, seen);
  depths.turns += 1;
}, 1);
serve("depths", () => depths);
serve("stop", () => exit(0));
`;
const MOVES = 60;
const PAGES = 1024;

async function move(vm: Vmm): Promise<unknown> {
  for (let at = 1; at <= MOVES; at++) {
    const pages = PAGES * (at % 2);
    await vm.balloon.setTarget({ pages });
    await vm.balloon.waitForActual({ pages });
  }
  const depths = await ask(vm, "depths");
  await ask(vm, "stop").catch(() => {});
  return depths;
}

it.for(ARCHITECTURES)("are whole in each turn on %s", async (arch, context) => {
  const qemu = `qemu-system-${arch}`;
  toolOrSkip(context, findOnPath(qemu), qemu);
  const app = inFolder(`${arch}.ts`);
  await writeFile(app, DEEP);
  let moved: Promise<unknown> = Promise.resolve();
  const errors: string[] = [];
  const code = await runProgram({
    ...{ app, on: "qemu", arch },
    onStart: (vm) => {
      moved = move(vm);
      moved.catch(() => vm.kill());
    },
    onLine: ({ text }) => errors.push(text),
  });
  expect({ code, errors }).toEqual({ code: 0, errors: [] });
  const { least, most, turns } = (await moved) as { least: number; most: number; turns: number };
  expect(turns).toBeGreaterThan(MOVES / 2);
  expect(least).toBeGreaterThan(0.9 * most);
});
