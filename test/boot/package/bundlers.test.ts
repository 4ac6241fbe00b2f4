/**
 * The package as published, bundled by those who use it: four bundlers without an option that is
 * about this package, no warning, and a balloon that inflates from each bundle in Node and a page.
 */
import { execFile } from "node:child_process";
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { build as esbuild } from "esbuild";
import { rollup } from "rollup";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import webpack from "webpack";
import { titleOf } from "../support/chromium.ts";
import { ROOT } from "../support/cli-program.ts";
import { installPackage } from "../support/packed.ts";

const run = promisify(execFile);

/** What a user writes: a balloon on the reference device, told of interrupts, moved up and down. */
const PROGRAM = `
import { balloonArenaBytes, createBalloon, follow } from "ballonet";
import { createMachine } from "ballonet/device";
import { FRAME_BYTES } from "ballonet/runtime";

async function play() {
  const ram = [{ start: FRAME_BYTES, bytes: 8 << 20 }];
  const arena = { start: FRAME_BYTES + (8 << 20), bytes: await balloonArenaBytes({ ram }) };
  const pages = Math.ceil((arena.start + arena.bytes) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages });
  const machine = createMachine({ memory });
  const balloon = await createBalloon({ memory, hal: machine.hal, ram, arena, policy: follow() });
  machine.onInterrupt = () => balloon.interrupt();
  machine.setTarget(1000);
  machine.run();
  const inflated = machine.actual;
  machine.setTarget(0);
  machine.run();
  return { inflated, deflated: machine.actual, verdicts: machine.check().length };
}

const say = (text) => {
  if (typeof document === "undefined") console.log(text);
  else document.title = text;
};
play().then((result) => say("done " + JSON.stringify(result)), (error) => say("failed " + error));
`;

/** Every entry that is meant for Node alone. v86 is installed, and none of the other packages. */
const NODE_PROGRAM = `
import { provideImage } from "ballonet/image";
import { judgeDriver } from "ballonet/judge";
import { simulate } from "ballonet/lab";
import { diagnose } from "ballonet/session";
import { qemuArguments } from "ballonet/vmm";
console.log([provideImage, judgeDriver, simulate, diagnose, qemuArguments].map((it) => typeof it).join());
`;

interface Purpose {
  /** True: only Node runs it. Default: pages do, too. */
  readonly forNode?: boolean;
}

type Bundler = (entry: string, out: string, purpose?: Purpose) => Promise<readonly string[]>;

/** Each writes `out`, and more beside it, and returns its warnings. */
const bundlers: Readonly<Record<string, Bundler>> = {
  esbuild: async (entry, outfile, { forNode = false } = {}) => {
    const { warnings } = await esbuild({
      entryPoints: [entry],
      platform: forNode ? "node" : "browser",
      outfile,
      bundle: true,
      format: "esm",
      logLevel: "silent",
    });
    return warnings.map(({ text }) => text);
  },
  rollup: async (input, out) => {
    const warnings: string[] = [];
    const onwarn = ({ message }: { message: string }) => warnings.push(message);
    const bundle = await rollup({ input, plugins: [nodeResolve()], onwarn });
    await bundle.write({ dir: dirname(out), entryFileNames: "bundle.mjs" });
    await bundle.close();
    return warnings;
  },
  webpack: async (entry, out, { forNode = false } = {}) => {
    const compiler = webpack({
      target: forNode ? "node20" : "web",
      // What is made small is v86, which takes most of the time.
      optimization: { minimize: !forNode },
      experiments: { outputModule: forNode },
      mode: "production",
      entry,
      output: { path: dirname(out), filename: "bundle.mjs", module: forNode },
      performance: false,
    });
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) =>
      compiler.run((error, result) => (error ? reject(error) : resolve(result))),
    );
    await new Promise<void>((resolve) => compiler.close(() => resolve()));
    const { errors = [], warnings = [] } = stats?.toJson() ?? {};
    return [...errors, ...warnings].map(({ message }) => message);
  },
  vite: async (entry, out, { forNode = false } = {}) => {
    const warnings: string[] = [];
    const warn = (text: string) => warnings.push(text);
    await vite({
      root: dirname(entry),
      configFile: false,
      ssr: { noExternal: true },
      logLevel: "warn",
      customLogger: {
        info: () => {},
        warn,
        warnOnce: warn,
        error: warn,
        clearScreen: () => {},
        hasErrorLogged: () => false,
        hasWarned: false,
      },
      build: {
        outDir: dirname(out),
        ...(forNode
          ? { ssr: entry, rollupOptions: { output: { entryFileNames: "bundle.mjs" } } }
          : { lib: { entry, formats: ["es"], fileName: () => "bundle.mjs" } }),
      },
    });
    return warnings;
  },
};

let app = "";

beforeAll(async () => {
  app = await realpath(await mkdtemp(join(tmpdir(), "ballonet-bundlers-")));
  await installPackage(app);
  await writeFile(join(app, "package.json"), '{ "private": true, "type": "module" }\n');
  await writeFile(join(app, "app.js"), PROGRAM);
  await writeFile(join(app, "node.js"), NODE_PROGRAM);
  await symlink(join(ROOT, "node_modules/v86"), join(app, "node_modules/v86"));
});
afterAll(() => rm(app, { recursive: true, force: true }));

describe.each(Object.entries(bundlers))("%s", (name, bundle) => {
  const expected = `done ${JSON.stringify({ inflated: 1000, deflated: 0, verdicts: 0 })}`;

  it("bundles without a warning, for Node in any folder and for a page", async (context) => {
    const out = join(app, name, "bundle.mjs");
    expect(await bundle(join(app, "app.js"), out)).toEqual([]);

    const elsewhere = join(app, `${name}-elsewhere`);
    await mkdir(elsewhere);
    await copyFile(out, join(elsewhere, "moved.mjs"));
    await rm(join(app, name), { recursive: true });
    const { stdout } = await run(process.execPath, [join(elsewhere, "moved.mjs")], { cwd: "/" });
    expect(stdout.trim()).toBe(expected);

    const title = await titleOf(context, {
      "/": ["text/html", '<!doctype html><script type="module" src="app.js"></script>'],
      "/app.js": ["text/javascript", await readFile(join(elsewhere, "moved.mjs"))],
    });
    expect(title).toBe(expected);
  });

  it("bundles what is for Node, without packages that only some of it needs", async () => {
    const out = join(app, `${name}-node`, "bundle.mjs");
    expect(await bundle(join(app, "node.js"), out, { forNode: true })).toEqual([]);
    const { stdout } = await run(process.execPath, [out], { cwd: "/" });
    expect(stdout.trim()).toBe(Array(5).fill("function").join());
  });
});
