/**
 * How many sequences a property runs, and from which seed.
 *
 * The seed is printed before the first sequence, so that every run can be repeated:
 * BALLONET_SEED=... BALLONET_RUNS=... npx vitest run --project property
 */
import { addFigures } from "../support/add-figures.ts";

function fromEnvironment(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isInteger(value)) throw new Error(`${name}: seen "${text}"; give a whole number`);
  return value;
}

const RUNS = fromEnvironment("BALLONET_RUNS");

/** With fewer sequences, a property may rightly not meet every case there is. */
const FEW_RUNS = 500;

/** Settings for fc.assert; `sequences` by default, whatever BALLONET_RUNS says otherwise. */
export function settingsFor(what: string) {
  const seed = fromEnvironment("BALLONET_SEED") ?? Math.trunc(Math.random() * 0x7fff_ffff);
  console.log(`${what}: BALLONET_SEED=${seed}${RUNS === undefined ? "" : `, ${RUNS} sequences`}`);
  const settings = (sequences: number) => {
    const numRuns = RUNS ?? sequences;
    addFigures({ sequences: numRuns });
    return { seed, numRuns };
  };
  return Object.assign(settings, { isShort: (RUNS ?? FEW_RUNS) < FEW_RUNS, runs: RUNS });
}
