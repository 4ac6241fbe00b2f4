/** The template for a host of one's own: it is checked as any file here, and runs. */
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it, onTestFinished, vi } from "vitest";
import { checkDevice, HOST_TEMPLATE } from "../../../src/check/index.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

it("is the file that is checked and run here", async () => {
  const checked = await readFile(here("my-vmm.ts"), "utf8");
  expect(HOST_TEMPLATE).toBe(checked.replace("../../../src/check/index.ts", "ballonet/check"));
});

it("boots a VMM and lends it the host's hand", async () => {
  const folder = await mkdtemp(join(tmpdir(), "host-template-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(folder, "my-vmm.mjs");
  const from = here("stand-ins/my-vmm.ts");
  const shared = { bundle: true, platform: "node", format: "esm", target: "node20" } as const;
  const banner = { js: `#!${process.execPath}` };
  await build({ entryPoints: [from], ...shared, outfile: program, banner });
  await chmod(program, 0o755);
  const image = join(folder, "image.elf");
  await writeFile(image, "an image");
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
  vi.stubEnv("MY_VMM", program);
  vi.stubEnv("MY_VMM_API", `http://127.0.0.1:${port}/`);
  onTestFinished(() => void vi.unstubAllEnvs());

  const { default: host } = await import("./my-vmm.ts");
  const { results, passed } = await checkDevice({ host, image });
  expect(passed).toBe(true);
  const [target, odd, statistics] = results.map(({ note }) => note);
  expect([target, odd, statistics]).toEqual(['{"answer":{}} 512', '{"answer":{}} 5', "{} 5"]);
});
