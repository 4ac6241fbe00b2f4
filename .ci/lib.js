/**
 * Makes lib/, the published form of dist/: few files, because each takes a whole block of a disk.
 *
 * What the program imports of other packages goes in, so that the package needs none. The maps lead
 * from each place to its file and line, without columns and without sources: that is what a stack
 * trace shows (`node --enable-source-maps`), in a fifth of the room.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, encode } from "@jridgewell/sourcemap-codec";
import { build } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { minify } from "terser";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lib = join(root, "lib");
const { exports, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const external = ["#core-bytes", "node:*", ...Object.keys(peerDependencies)];
/**
 * What has no types of its own: the command, threads of the judge and of the check, the judge for
 * pages, the driver's own program in images, and what the page of `ballonet play` shares with the
 * others.
 */
const PROGRAMS = [
  ["cli", "src/cli/main"],
  ["worker", "src/judge/in-process/worker"],
  ["v86-thread", "src/check/hosts/v86-thread"],
  ["judge-browser", "src/judge/browser"],
  ["kernel-main", "runtime/kernel/main"],
  ["play-shared", "src/play/page/machine/shared"],
];
const SMALL_MAP_BYTES = 1_600;
/** Packages of which a part is published with this one: in lib/, or compiled into the images. */
const INCLUDED = [
  "lossless-json",
  "wabt",
  "@jitl/quickjs-ffi-types",
  "@jitl/quickjs-ng-wasmfile-release-sync",
];

/** Where an entry is not made of the room in src/ that has its name. */
const ROOMS = {
  index: "src",
  runtime: "runtime",
  kernel: "runtime/kernel",
  guest: "runtime/guest",
};
/** The index that each entry of package.json is made of: `./device` is src/device/index. */
const entries = Object.values(exports).flatMap(({ default: path }) => {
  const name = /^\.\/lib\/([\w-]+)\.js$/.exec(path)?.[1];
  if (name === undefined) return [];
  return [[name, `${ROOMS[name] ?? `src/${name}`}/index`]];
});

function of(folder, extension, more = []) {
  return Object.fromEntries(
    [...entries, ...more].map(([name, path]) => [name, join(root, folder, path + extension)]),
  );
}

/** A part that is smaller than this joins another one, where that brings nobody what he lacks. */
const SMALL_PART_BYTES = 20_000;
const isExternal = (id) => external.includes(id) || id.startsWith("node:");

/** Bundles into `parts`, with maps inside. There is a part for each set of entries that share it. */
async function writeParts(parts) {
  await build({
    entryPoints: of("", ".ts", PROGRAMS),
    outdir: parts,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    external,
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "warning",
  });
}

const MAP = /\/\/# sourceMappingURL=data:application\/json;base64,(.*)\n?$/;

/** Gives the maps inside of parts to the bundler. */
const maps = {
  name: "maps",
  load(path) {
    const code = readFileSync(path, "utf8");
    const map = MAP.exec(code);
    if (map === null) return code;
    return { code: code.replace(MAP, ""), map: Buffer.from(map[1], "base64").toString() };
  },
};

async function writeScripts() {
  const parts = join(root, "build", "parts");
  rmSync(parts, { recursive: true, force: true });
  await writeParts(parts);
  const names = [...entries, ...PROGRAMS].map(([name]) => [name, join(parts, `${name}.js`)]);
  const bundle = await rollup({
    input: Object.fromEntries(names),
    external: isExternal,
    plugins: [maps],
    logLevel: "warn",
    preserveEntrySignatures: "strict",
    // What an import of another package or of Node does is never brought to whoever did without.
    treeshake: {
      moduleSideEffects: (path, isOutside) =>
        isOutside || PROGRAMS.some(([name]) => path === join(parts, `${name}.js`)),
    },
  });
  const { output } = await bundle.generate({
    dir: lib,
    chunkFileNames: "part-[hash].js",
    experimentalMinChunkSize: SMALL_PART_BYTES,
    hoistTransitiveImports: false,
    sourcemap: "hidden",
    sourcemapExcludeSources: true,
  });
  await bundle.close();
  for (const one of output) if (one.type === "chunk") await writeSmall(one.fileName, one);
  rmSync(parts, { recursive: true });
}

/** What tells bundlers to leave an import alone. */
const HIDDEN = /webpackIgnore|@vite-ignore/;

/**
 * Makes a script small. A name at its top that stands for a text is left as it is where an import is
 * hidden from bundlers: put where it is used, the text would be found by them.
 */
function small(name, code, map) {
  const toplevel = !HIDDEN.test(code);
  return minify(code, {
    parse: { module: true },
    ecma: 2020,
    compress: { passes: 3, module: toplevel, toplevel },
    mangle: { module: true },
    format: { max_line_len: 200, preserve_annotations: true, comments: HIDDEN },
    sourceMap: { content: map, filename: name },
  });
}

/** An annotation before what is no call: `new Set().size === 5` is turned round behind it. */
const MISPLACED = /\/\* @__PURE__ \*\/(?![\w$(])|\/\* @__PURE__ \*\/(?=\d)/g;

/** Writes a script, made small, and its map. Bundlers warn of an annotation that they cannot read. */
async function writeSmall(name, { code, map }) {
  const made = await small(name, code, map);
  const path = join(lib, name);
  const text = made.code.replace(MISPLACED, (it) => " ".repeat(it.length));
  writeFileSync(path, `${text}\n//# sourceMappingURL=${name}.map\n`);
  writeFileSync(`${path}.map`, thin(made.map));
  fold(`${path}.map`);
}

/** The rooms that run inside of a user's guest or VM. The other ones report in words. */
const MAPPED = /^\.\.\/(runtime|src\/embed)\//;

/** Keeps of each line of a map those places where another line of a mapped source begins. */
function thin(map) {
  const { version, sources, mappings } = JSON.parse(map);
  const ours = sources.filter((source) => MAPPED.test(source));
  const lines = decode(mappings).map((places) => {
    let last = "";
    return places.flatMap(([column, source, line]) => {
      const index = ours.indexOf(sources[source]);
      const now = index < 0 ? "" : `${index}:${line}`;
      if (now === last) return [];
      last = now;
      return [now === "" ? [column] : [column, index, line, 0]];
    });
  });
  return JSON.stringify({ version, sources: ours, mappings: encode(lines) });
}

/** Puts a small map into its script, as a file of its own takes a block; an empty one goes. */
function fold(path) {
  const map = readFileSync(path);
  if (map.length > SMALL_MAP_BYTES) return;
  const script = path.replace(/\.map$/, "");
  const isEmpty = JSON.parse(map.toString()).mappings === "";
  const url = `data:application/json;base64,${map.toString("base64")}`;
  const link = /\/\/# sourceMappingURL=.*\n?$/;
  const replacement = isEmpty ? "" : `//# sourceMappingURL=${url}\n`;
  writeFileSync(
    script,
    readFileSync(script, "utf8").replace(link, () => replacement),
  );
  rmSync(path);
}

/** Sentences in the tables of rules and faults: as types they are texts like any other. */
const SENTENCE = /(readonly (?:title|observed|does|expected|section): )"(?:[^"\\]|\\.)*"/g;
const SEEN_BY = /(readonly seenBy: )readonly \[[^\]]*\]/g;

/** What classes share among themselves alone would bring in the types of half of the device. */
const INSIDE = /^ *protected readonly \w+: [^;{]*;\n/gm;

/** A private member keeps a class from being made up; the next ones say nothing more. */
const COMMENT = /(?:\t+\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?/.source;
const PRIVATE = new RegExp(
  `(${COMMENT}\\t+private [^\\n]*;\\n)(?:${COMMENT}\\t+private [^\\n]*;\\n)+`,
  "g",
);

/** The sentence that says what a file is, which would stand amid the types of other files. */
const HEADER = /^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n(?=\n|\/\*\*)/gm;

/** What a table's type repeats of the type of its entries. */
const REPEATED = /^\t{2,}\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n/gm;
const TABLE = /^declare const \w+: \{\n[\s\S]*?^\};\n/gm;

function compact(code) {
  return withTabs(code)
    .replace(HEADER, "")
    .replace(TABLE, (table) => table.replace(REPEATED, ""))
    .replace(SENTENCE, "$1string")
    .replace(SEEN_BY, "$1readonly string[]")
    .replace(PRIVATE, "$1")
    .replace(/\n{2,}/g, "\n");
}

/** What of the machines' types needs none of Node. */
const ALSO_SHARED = /dist\/src\/(?:deadline|vmm\/(?:control|log|vmm))\./;

/**
 * Types that entries share, without those of Node and of v86: the device's in a file, all others in
 * another one. Else each set of entries that share something had a file of its own.
 */
function typesFile(id) {
  const room = /dist\/(runtime|src\/\w+)\/(?!index\.)/.exec(id)?.[1];
  if (room === "src/device") return "device";
  const isShared = ["runtime", "src/embed", "src/image", "src/text"].includes(room);
  return isShared || ALSO_SHARED.test(id) ? "shared" : undefined;
}

async function writeTypes() {
  const bundle = await rollup({
    input: of("dist", ".d.ts"),
    external: isExternal,
    plugins: [{ name: "inside", transform: (code) => code.replace(INSIDE, "") }, dts()],
    // A type that is named nowhere in public stays inside.
    onwarn: ({ message }) => message.includes("private shared type") || console.error(message),
  });
  await bundle.write({
    dir: lib,
    entryFileNames: "[name].d.ts",
    chunkFileNames: "types-[hash].d.ts",
    manualChunks: typesFile,
    plugins: [{ name: "indent", renderChunk: (code) => ({ code: compact(code), map: null }) }],
  });
  await bundle.close();
  copyFileSync(join(root, "src/embed/core-wasm.d.ts"), join(lib, "core-wasm.d.ts"));
}

/** The compiler indents by four blanks. */
function withTabs(code) {
  return code.replace(/^(?: {4})+/gm, (blanks) => "\t".repeat(blanks.length / 4));
}

function writeLicenses() {
  const texts = INCLUDED.map((name) => {
    const folder = join(root, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((it) => /^licen[cs]e/i.test(it));
    const text = file === undefined ? "" : `\n${readFileSync(join(folder, file), "utf8")}`;
    return `${name} ${version} (${license})\n${text}`;
  });
  writeFileSync(join(lib, "LICENSES.txt"), texts.join(`\n${"-".repeat(72)}\n\n`));
}

mkdirSync(lib, { recursive: true });
// The archive of the guest is of other inputs (.ci/archive.js).
for (const name of readdirSync(lib)) if (name !== "guest.br") rmSync(join(lib, name));
await writeScripts();
await writeTypes();
writeLicenses();
