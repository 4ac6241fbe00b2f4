/**
 * Writes lib/guest.br: the images, the script that checks a device, the boot code of others, the
 * judge's relay and its agents in Linux, and the page of `ballonet play` (src/image/archive.ts).
 *
 * All are compressed as one, because the images have much in common. Of the images' code a filter
 * makes what compresses better.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { placesOfCalls } from "../dist/src/image/call-distances.js";
import { checkScript } from "../dist/src/image/provide-check-image.js";
import { agentName, linuxAgent } from "../dist/src/judge/agent/program.js";
import {
  RELAY_NAME,
  RUNS_STANDALONE,
  standaloneRelay,
} from "../dist/src/judge/vfio-user/relay-program.js";
import { bundlePage } from "../dist/src/play/serve/bundle.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const boot = join(root, "runtime/kernel/boot");
const files = [];

/** A source in C without its comments, which are in the repository. Lines keep their numbers. */
function bare(path) {
  const blank = (comment) => comment.replace(/[^\n]+/g, "");
  return Buffer.from(readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, blank));
}

for (const arch of ["i386", "x86_64"]) {
  const name = `ballonet-${arch}.elf`;
  const image = readFileSync(join(root, "build/images", name));
  placesOfCalls(image);
  files.push([name, image]);
}
files.push(["check.js", Buffer.from(await checkScript())]);
for (const name of readdirSync(boot, { recursive: true }).sort()) {
  const path = join(boot, name);
  if (statSync(path).isFile()) files.push([`boot/${name.replaceAll("\\", "/")}`, bare(path)]);
}
files.push(["judge/vfio-user/relay.c", bare(join(root, "src/judge/vfio-user/relay.c"))]);
for (const arch of ["i386", "x86_64"]) {
  files.push([agentName(arch), Buffer.from(await linuxAgent({ arch }))]);
}
if (RUNS_STANDALONE) files.push([RELAY_NAME, readFileSync(await standaloneRelay())]);
for (const [name, contents] of await bundlePage({ thin: true })) {
  files.push([`play/${name}`, Buffer.from(contents)]);
}

const directory = `${JSON.stringify(files.map(([name, { length }]) => [name, length]))}\n`;
const whole = Buffer.concat([Buffer.from(directory), ...files.map(([, bytes]) => bytes)]);
const stamp = join(root, "build/archive.stamp");
const digest = createHash("sha256").update(whole).digest("hex");
const archive = join(root, "lib/guest.br");
if (existsSync(archive) && existsSync(stamp) && readFileSync(stamp, "utf8") === digest) {
  process.exit();
}
const params = {
  [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  [constants.BROTLI_PARAM_SIZE_HINT]: whole.length,
};
writeFileSync(archive, brotliCompressSync(whole, { params }));
writeFileSync(stamp, digest);
