/** `ballonet play` of the installed package: its page boots a guest in a real browser. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { BUILD_MS } from "../support/cli-program.ts";
import { DrivenPage } from "../support/devtools.ts";
import { installPackage, linkDependencies, packImages } from "../support/packed.ts";

/** Resolves with the address that the program prints. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const add = (bytes: Buffer) => {
      text += bytes.toString();
      const found = /^page: (\S+)$/m.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on("data", add);
    child.stderr?.on("data", add);
    child.once("close", () => reject(new Error(`no address: ${text}`)));
  });
}

it("serves a page that boots a guest", { timeout: BUILD_MS }, async (context) => {
  const page = await DrivenPage.open(context);
  onTestFinished(() => page.close());
  const app = await realpath(await mkdtemp(join(tmpdir(), "ballonet-play-")));
  onTestFinished(() => rm(app, { recursive: true, force: true }));
  await packImages();
  await installPackage(app);
  await linkDependencies(app);
  const program = join(app, "node_modules/ballonet/lib/cli.js");
  const child = spawn(process.execPath, [program, "play", "--no-open"], { cwd: app });
  onTestFinished(() => {
    child.kill();
  });
  await page.goTo(await addressOf(child));
  await page.until(`document.querySelector("#state")?.dataset.state === "ready"`, 60_000);
  await page.evaluate(`document.querySelector('[data-share="0.5"]').click()`);
  await page.until("ballonet.bench.machine.host.actualPages === 8192");
  const log = "ballonet.bench.machine.vmm.log.lines.join()";
  expect(await page.evaluate(log)).toContain("ballonet: ready");
  expect(page.console).toEqual([]);
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGINT");
  expect(await ended).toBe(130);
});
