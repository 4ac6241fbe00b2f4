/**
 * `npm run check`: types, style, tidiness and the mutants' fit, all at once, before each commit.
 *
 * What a check prints is shown only if it fails, but for warnings and the count of imports. The
 * types are checked incrementally: the first run takes as long as `npm run lint`, later ones a few
 * seconds.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const types = (part) =>
  `tsc -p tsconfig.${part}.json --incremental --tsBuildInfoFile build/check/${part}.json`;

const CHECKS = {
  types: ["runtime", "assembly", "test"].map(types).join(" && "),
  style: "biome check --error-on-warnings",
  "tidy, mutants fit": "vitest run --project unit test/tidy test/unit/conformance",
};

/** Lines that are shown also when a check succeeds. */
const REMARKS = /warning: .+|\d+ files, \d+ arrows, .+/g;

/** Runs a shell's command line; resolves to whether it succeeded. */
function run(what, command) {
  const startedMs = performance.now();
  const child = spawn(command, { cwd: ROOT, shell: true, stdio: ["ignore", "pipe", "pipe"] });
  const printed = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (it) => printed.push(it));
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      const all = Buffer.concat(printed);
      if (code !== 0) process.stdout.write(all);
      else for (const line of `${all}`.match(REMARKS) ?? []) console.log(line);
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${what} (${seconds} s)`);
      resolve(code === 0);
    });
  });
}

mkdirSync(`${ROOT}/build/check`, { recursive: true });
const passed = await Promise.all(Object.entries(CHECKS).map((check) => run(...check)));
process.exitCode = passed.every(Boolean) ? 0 : 1;
