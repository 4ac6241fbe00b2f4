/** What is taken away of launches that were killed, and what is left alone. */
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { launchFolder } from "../../../src/judge/qemu/launch-folder.ts";

const LAUNCH_MS = 1000;
/** Above the largest number that Linux gives to a process. */
const GONE = 2 ** 22 + 1;

it("takes away folders of processes that are gone, once they are old", async () => {
  const parent = await mkdtemp(join(tmpdir(), "ballonet-launch-"));
  onTestFinished(() => rm(parent, { recursive: true }));
  const longAgo = new Date(Date.now() - 10 * LAUNCH_MS);
  const made = async (name: string, isOld = true) => {
    await mkdir(join(parent, name));
    await writeFile(join(parent, name, "memory"), "");
    if (isOld) await utimes(join(parent, name), longAgo, longAgo);
    return name;
  };
  await made(`ballonet-judge-${GONE}-abcdef`);
  const kept = [
    await made(`ballonet-judge-${GONE}-ghijkl`, false),
    await made(`ballonet-judge-${process.pid}-abcdef`),
    await made("somebody-else-1-abcdef"),
  ];
  const own = launchFolder(parent, LAUNCH_MS);
  expect(own.startsWith(join(parent, `ballonet-judge-${process.pid}-`))).toBe(true);
  const others = (await readdir(parent)).filter((name) => join(parent, name) !== own);
  expect(others.sort()).toEqual(kept.sort());
});
