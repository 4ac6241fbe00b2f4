/** The benchmark of scrubbing: `npm run bench:scrub`, or with `-- --json`, `-- --help`. */
import type { CoreExports } from "../../runtime/core/exports.ts";
import { FRAME_BYTES } from "../../runtime/core/frames.ts";
import { loadCore } from "../../src/embed/load-core.ts";
import { runBench } from "./bench-program.ts";
import { Guest } from "./exchange.ts";
import { type Figures, measureNs, RUNS } from "./measure.ts";

const HELP = `Usage: npm run bench:scrub -- [--json] [--help]

Measures what a page costs that goes into the balloon and out again, against a device that completes
at once, in ${RUNS} alternating runs after one to warm up: as it is, filled before it is given, filled
when it is back, and both, as with host=untrusted.`;

const FRAMES = 16_384;
const ARENA_BYTES = 1 << 23;
/** Enough that a run is no moment. */
const TRIPS = 4;
const WAYS = [
  { name: "as it is", given: 0, returned: 0 },
  { name: "filled before it is given", given: 1, returned: 0 },
  { name: "filled when it is back", given: 0, returned: 1 },
  { name: "both", given: 1, returned: 1 },
];

/** A guest whose frames lie beside its arena, and are really filled. */
function guestOf(module: WebAssembly.Module, given: number, returned: number): Guest {
  const memory = new WebAssembly.Memory({ initial: ARENA_BYTES >> 16 });
  const frames = new Uint32Array((FRAMES * FRAME_BYTES) / 4);
  const words = FRAME_BYTES / 4;
  const fill = (first: number, length: number, value: number) => {
    frames.fill(value, first * words, (first + length) * words);
  };
  const imports = { env: { memory }, hal: { fence: () => {}, fill } };
  const core = new WebAssembly.Instance(module, imports).exports as unknown as CoreExports;
  core.scrub_set(given, returned);
  return new Guest(core, memory.buffer, FRAMES);
}

async function measure(): Promise<readonly Figures[]> {
  const module = await loadCore();
  return measureNs(
    WAYS.map(({ name, given, returned }) => {
      const guest = guestOf(module, given, returned);
      // A round trip counts each page twice.
      const run = () => {
        let pages = 0;
        for (let trip = 0; trip < TRIPS; trip++) pages += guest.roundTrip() / 2;
        return pages;
      };
      return { name, run };
    }),
  );
}

function table(rows: readonly Figures[]): string {
  const line = (name: string, cells: readonly string[]) =>
    `  ${name.padEnd(30)}${cells.map((cell) => cell.padStart(10)).join("")}`;
  return [
    line("ns a page, in and out", ["median", "min", "max"]),
    ...rows.map(({ name, median, least, most }) =>
      line(
        name,
        [median, least, most].map((value) => value.toFixed(1)),
      ),
    ),
  ].join("\n");
}

await runBench({ help: HELP, measure, table });
