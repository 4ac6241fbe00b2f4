/** The cache of build steps, also when several builds share it. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Cache } from "../../../src/image/cache.ts";

async function emptyCache(): Promise<Cache> {
  const directory = await mkdtemp(join(tmpdir(), "ballonet-cache-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return new Cache(directory);
}

it("makes a result once", async () => {
  const cache = await emptyCache();
  let made = 0;
  const make = async (path: string) => writeFile(path, `made ${++made}`);
  const path = await cache.file("step", ["input"], make);
  expect(await cache.file("step", ["input"], make)).toBe(path);
  expect(await readFile(path, "utf8")).toBe("made 1");
  expect(await cache.file("step", ["other input"], make)).not.toBe(path);
});

it("keeps one result, and no rest, when two builds make the same folder at once", async () => {
  const cache = await emptyCache();
  let waiting = 0;
  let bothAreIn: () => void = () => {};
  const both = new Promise<void>((resolve) => {
    bothAreIn = resolve;
  });
  const make = async (path: string) => {
    await mkdir(path);
    await writeFile(join(path, "part.o"), "object");
    if (++waiting === 2) bothAreIn();
    await both;
  };
  const paths = await Promise.all([
    cache.file("folder", ["input"], make),
    cache.file("folder", ["input"], make),
  ]);
  expect(new Set(paths).size).toBe(1);
  expect(await readFile(join(paths[0], "part.o"), "utf8")).toBe("object");
  expect(await readdir(cache.directory)).toHaveLength(1);
});

it("leaves nothing of a step that fails", async () => {
  const cache = await emptyCache();
  const make = async (path: string) => {
    await writeFile(path, "half");
    throw new Error("no room");
  };
  await expect(cache.file("step", ["input"], make)).rejects.toThrow("no room");
  expect(await readdir(cache.directory)).toEqual([]);
});

it("prunes what has not been used for longest", async () => {
  const cache = await emptyCache();
  const engine = () => cache.file("engine", ["input"], (path) => writeFile(path, "engine"));
  const path = await engine();
  await utimes(path, 1, 1);
  const names = Array.from({ length: 70 }, (_, index) => `step-${index}`);
  for (const name of names) {
    await cache.file(name, ["input"], (path) => writeFile(path, name));
  }
  expect(await engine()).toBe(path);
  await cache.prune();
  expect(existsSync(path)).toBe(true);
  expect(await readdir(cache.directory)).toHaveLength(64);
});
