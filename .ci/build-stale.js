/**
 * Builds what is older than its sources, and nothing else: build/core.wasm, dist/ and lib/. The
 * scripts that are given restrict it: `node .ci/build-stale.js build:core build:js`.
 *
 * It knows which folders each is made of, and not how; that stands in package.json. It is
 * JavaScript because it runs before there is a compiler's output, on every Node that is supported.
 * A stamp is written only after a build that succeeded, and names every file that went in.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const PRODUCTS = [
  {
    script: "build:core",
    what: "core.wasm",
    inputs: ["assembly", "src/embed/example", "asconfig.json", "package-lock.json"],
    outputs: ["build/core.wasm", "build/core-bytes.js", "build/example-guest.wasm"],
  },
  {
    script: "build:js",
    what: "the JavaScript",
    inputs: ["src", "runtime", "tsconfig.json", "tsconfig.base.json", "package-lock.json"],
    outputs: ["dist/src/cli/main.js"],
  },
  {
    script: "build:lib",
    what: "the package's JavaScript",
    inputs: ["src", "runtime", ".ci/lib.js", "package.json", "package-lock.json"],
    outputs: ["lib/index.js", "lib/index.d.ts", "lib/cli.js"],
  },
];

/** Every file below a path, or the path itself. */
function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).sort();
  return names.flatMap((name) => filesBelow(join(path, name)));
}

/** Which files there are, and when each was changed: far quicker than reading them. */
function digest(inputs) {
  const hash = createHash("sha256");
  for (const path of inputs.flatMap((input) => filesBelow(join(ROOT, input)))) {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}

const wanted = process.argv.slice(2);
for (const { script, what, inputs, outputs } of PRODUCTS) {
  if (wanted.length > 0 && !wanted.includes(script)) continue;
  const stamp = join(ROOT, "build", `${script.replace(":", "-")}.stamp`);
  const now = digest(inputs);
  const made = outputs.every((output) => existsSync(join(ROOT, output)));
  if (made && existsSync(stamp) && readFileSync(stamp, "utf8") === now) continue;
  console.error(`build    ${what}`);
  try {
    execFileSync("npm", ["run", "--silent", script], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  } catch {
    console.error(`failed   npm run ${script}\n         do:   see the messages above`);
    process.exit(1);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, now);
}
