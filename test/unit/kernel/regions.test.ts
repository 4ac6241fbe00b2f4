/** The boot code's reading of memory maps: any map, in any order, as a model in frames sees it. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { useBootProgram } from "./boot-program.ts";

const AVAILABLE = 0;
const RESERVED = 1;
const FRAME = 4096n;
const LIST_MAX = 256;
const RUNS = Number(process.env.BALLONET_RUNS ?? 100);

interface Entry {
  readonly base: bigint;
  readonly bytes: bigint;
  readonly kind: number;
}
interface Result {
  readonly regions: readonly Entry[];
  /** Where memory below 4 GiB ends. */
  readonly lowEnd: bigint;
}

const programFor = useBootProgram("regions-program.c", "regions.c");

/** What becomes of each map, and where the processor's addresses end. */
function read(
  program: string,
  maps: readonly (readonly Entry[])[],
): { results: Result[]; addressEnd: bigint } {
  const entry = ({ base, bytes, kind }: Entry) => `${base} ${bytes} ${kind}`;
  const input = maps.map((map) => [map.length, ...map.map(entry)].join("\n")).join("\n");
  const [end = "", ...lines] = execFileSync(program, { input, encoding: "utf8" })
    .trimEnd()
    .split("\n");
  const results = lines.map((line) => {
    const parts = line.split(",");
    const regions = parts.slice(0, -1).map((part): Entry => {
      const [base = 0n, bytes = 0n, kind = 0n] = part.split(" ").map(BigInt);
      return { base, bytes, kind: Number(kind) };
    });
    return { regions, lowEnd: BigInt((parts.at(-1) ?? "").trim()) };
  });
  return { results, addressEnd: BigInt(end) };
}

const endOf = ({ base, bytes }: Entry): bigint => base + bytes;
const holds = (entry: Entry, at: bigint): boolean => entry.base <= at && at < endOf(entry);

/** What a map says of a frame: undefined is nothing. */
function said(map: readonly Entry[], frame: bigint, addressEnd: bigint): number | undefined {
  const end = frame + FRAME;
  const isReserved = map.some(
    (it) => it.kind === RESERVED && it.bytes > 0n && it.base < end && endOf(it) > frame,
  );
  if (isReserved) return RESERVED;
  const isWhole = map.some((it) => it.kind === AVAILABLE && it.base <= frame && endOf(it) >= end);
  return isWhole && frame > 0n && end <= addressEnd ? AVAILABLE : undefined;
}

/** A few addresses in which entries meet, then all that 64 bits can say. */
const address = fc.oneof(
  fc.bigInt({ min: 0n, max: 40n }).map((it) => it * 2048n),
  fc.bigInt({ min: 0n, max: 40n }).map((it) => 2n ** 32n - 20n * FRAME + it * FRAME),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const length = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 24n }).map((it) => it * 2048n) },
  fc.bigInt({ min: 0n, max: 2n ** 41n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const kind = fc.constantFrom(AVAILABLE, AVAILABLE, RESERVED);
const map = fc.array(fc.record({ base: address, bytes: length, kind }), { maxLength: 24 });

describe("memory maps", () => {
  it("of any kind become sorted whole frames, and mean what they said", (context) => {
    const program = programFor(context);
    fc.assert(
      fc.property(fc.array(map, { minLength: 1, maxLength: 10 }), (maps) => {
        const { results, addressEnd } = read(program, maps);
        expect(results).toHaveLength(maps.length);
        for (const [index, { regions, lowEnd }] of results.entries()) {
          const told = maps[index] as Entry[];
          regions.reduce(
            (below, here) => {
              expect(here.base).toBeGreaterThanOrEqual(endOf(below));
              const touches = here.base === endOf(below) && here.kind === below.kind;
              expect(touches, "two regions that are one").toBe(false);
              return here;
            },
            { base: 0n, bytes: 0n, kind: -1 },
          );
          expect(regions.every((it) => (it.base | it.bytes) % FRAME === 0n && it.bytes > 0n)).toBe(
            true,
          );
          // Where anything changes, on both sides.
          const edges = [...told, ...regions].flatMap((it) => [it.base, endOf(it)]);
          const frames = edges
            .flatMap((edge) => [edge - FRAME, edge, edge + FRAME])
            .map((it) => it - (it % FRAME))
            .filter((it) => it >= 0n && it < 2n ** 64n - 2n * FRAME);
          for (const frame of frames) {
            const seen = regions.find((it) => holds(it, frame))?.kind;
            expect(seen, `frame at ${frame}`).toBe(said(told, frame, addressEnd));
          }
          const low = regions.filter((it) => it.kind === AVAILABLE && it.base < 2n ** 32n);
          const last = low.at(-1);
          const end = last === undefined ? 0n : endOf(last);
          expect(lowEnd).toBe(end < 2n ** 32n ? end : 2n ** 32n);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("in hundreds of pieces keep the larger ones", (context) => {
    const program = programFor(context);
    const pieces = 600;
    const told = Array.from({ length: pieces }, (_, index): Entry => {
      // 7 and 600 have no common factor: each place once, in no order.
      const place = BigInt((index * 7) % pieces);
      return { base: (1n + place * 100n) * FRAME, bytes: (1n + (place % 64n)) * FRAME, kind: 0 };
    });
    const [result] = read(program, [told]).results;
    const kept = result?.regions ?? [];
    expect(kept).toHaveLength(LIST_MAX);
    const isTold = (it: Entry) =>
      told.some(({ base, bytes }) => it.base === base && it.bytes === bytes);
    expect(kept.every(isTold)).toBe(true);
    const isLarger = ({ bytes }: Entry) => kept.some((it) => it.bytes < bytes);
    const larger = told.filter(isLarger);
    expect(larger.every((it) => kept.some(({ base }) => base === it.base))).toBe(true);
  });

  it("with more reserved pieces than the list has are refused", (context) => {
    const path = programFor(context);
    const lines = Array.from({ length: 300 }, (_, at) => `${at * 8192} 4096 ${RESERVED}`);
    const input = [300, ...lines].join("\n");
    const said = execFileSync(path, { input, encoding: "utf8" });
    expect(said).toMatch(/\npanic loader too many memory regions\n$/);
  });
});
