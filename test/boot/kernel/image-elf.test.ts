/**
 * The images' machine-level face: program headers, boot headers, sizes, symbols; and what the cache
 * saves.
 */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { buildImage } from "../../../src/image/build-image.ts";
import { startBuild } from "../../../src/image/build-steps.ts";
import { Cache } from "../../../src/image/cache.ts";
import { compile } from "../../../src/image/compiler.ts";
import { packageFolder } from "../../../src/package.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { functionsOf, parseElf } from "../support/elf.ts";
import type { Arch } from "../support/kernel-images.ts";

/** What was asked for. */
const BYTES_MAX: Record<Arch, number> = { i386: 2_000_000, x86_64: 2_000_000 };

const PT_LOAD = 1;
const PT_NOTE = 4;
const MULTIBOOT_SEARCH_BYTES = 8192;
const MULTIBOOT2_SEARCH_BYTES = 32_768;
/** crosvm loads nothing below. */
const LOAD_ADDRESS = 0x20_0000;
const PVH_NOTE_TYPE = 18;

test.each(["i386", "x86_64"] as const)("%s: the image is what its loaders expect", async (arch) => {
  const built = await buildImage({ arch });
  expect((await stat(built.path)).size).toBe(built.bytes);
  expect(built.bytes).toBeLessThan(BYTES_MAX[arch]);

  const elf = parseElf(await readFile(built.path));
  expect(elf.bits).toBe(arch === "i386" ? 32 : 64);
  expect(elf.machine).toBe(arch === "i386" ? 3 : 62);
  const [text, data, note] = elf.segments;
  expect(elf.segments.map(({ type, flags }) => [type, flags])).toEqual([
    [PT_LOAD, 5],
    [PT_LOAD, 6],
    [PT_NOTE, 4],
  ]);
  if (!text || !data || !note) throw new Error("a segment is missing");
  expect(text.address).toBe(LOAD_ADDRESS);
  expect(elf.entry).toBeGreaterThanOrEqual(text.address);
  expect(elf.entry).toBeLessThan(text.address + text.fileBytes);
  // What the file holds is one piece in memory, too.
  expect(data.address % 4096).toBe(0);
  expect(data.address - text.address).toBe(data.offset - text.offset);
  // The snapshot is unpacked to where it is mapped, out of memory that the kernel uses afterwards.
  expect(data.memoryBytes - data.fileBytes).toBeGreaterThan(built.snapshotBytes);
  expect(data.fileBytes).toBeLessThan(built.snapshotBytes);
  const end = data.address + data.memoryBytes;
  expect(end - LOAD_ADDRESS).toBeLessThan(4 * 1024 * 1024);

  // name size, descriptor size, type, "Xen\0", the 32-bit entry (PVH boot protocol).
  const words = Array.from({ length: 5 }, (_, at) => elf.bytes.readUInt32LE(note.offset + 4 * at));
  expect(words.slice(0, 3)).toEqual([4, 4, PVH_NOTE_TYPE]);
  expect(elf.bytes.toString("latin1", note.offset + 12, note.offset + 16)).toBe("Xen\0");
  expect(note.align).toBe(4);
  expect(words[4]).toBeGreaterThanOrEqual(text.address);
  expect(words[4]).toBeLessThan(text.address + text.fileBytes);

  const head = elf.bytes.subarray(0, MULTIBOOT_SEARCH_BYTES);
  const magic = head.indexOf(Uint8Array.of(0x02, 0xb0, 0xad, 0x1b));
  expect(magic >= 0).toBe(arch === "i386");
  const total = (at: number, count: number) =>
    Array.from({ length: count }, (_, word) => elf.bytes.readUInt32LE(at + 4 * word)).reduce(
      (sum, word) => (sum + word) % 2 ** 32,
    );
  if (arch === "i386") {
    expect(magic % 4).toBe(0);
    expect(total(magic, 3)).toBe(0);
    const fields = Array.from({ length: 5 }, (_, at) => head.readUInt32LE(magic + 12 + 4 * at));
    const header = text.address + magic - text.offset;
    expect(fields).toEqual([header, text.address, data.address + data.fileBytes, end, elf.entry]);
  }
  const magic2 = elf.bytes
    .subarray(0, MULTIBOOT2_SEARCH_BYTES)
    .indexOf(Uint8Array.of(0xd6, 0x50, 0x52, 0xe8));
  expect(magic2).toBeGreaterThan(0);
  expect(magic2 % 8).toBe(0);
  expect(total(magic2, 4)).toBe(0);
});

test.each(["i386", "x86_64"] as const)("%s: the symbols are the image's own", async (arch) => {
  const built = await buildImage({ arch });
  const image = parseElf(await readFile(built.path));
  const symbols = parseElf(await readFile(built.symbolsPath));
  expect(functionsOf(image).size).toBe(0);
  expect(symbols.entry).toBe(image.entry);
  expect(symbols.segments).toEqual(image.segments);
  for (const { offset, fileBytes } of image.segments) {
    const [left, right] = [image, symbols].map(({ bytes }) =>
      bytes.subarray(offset, offset + fileBytes),
    );
    expect(Buffer.compare(left ?? Buffer.of(0), right ?? Buffer.of(1))).toBe(0);
  }
  const [text] = image.segments;
  const functions = functionsOf(symbols);
  for (const name of ["boot_start", "panic_at", "core_start", "wasm_rt_trap"]) {
    const address = functions.get(name) ?? 0;
    expect(address).toBeGreaterThanOrEqual(text?.address ?? Number.POSITIVE_INFINITY);
    expect(address).toBeLessThan((text?.address ?? 0) + (text?.fileBytes ?? 0));
  }
});

test.for(["i386", "x86_64"] as const)("%s: clang takes the boot code", async (arch, context) => {
  vi.stubEnv("CC", toolOrSkip(context, findOnPath("clang"), "clang"));
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const out = await mkdtemp(join(tmpdir(), "clang-test-"));
  onTestFinished(() => rm(out, { recursive: true }));
  const boot = join(packageFolder(), "runtime/kernel/boot");
  const { compiler, flags } = await startBuild({
    arch,
    boot,
    signal: undefined,
    cache: new Cache(out),
  });
  for (const source of ["libc.c", "memory.c", "loader.c", `entry-${arch}.S`]) {
    const args = [...flags, `-I${join(boot, "include")}`, "-Wno-ignored-optimization-argument"];
    const object = join(out, `${source}.o`);
    await compile({
      compiler,
      directory: boot,
      args: [...args, "-Werror", "-c", "-o", object, source],
    });
    expect((await stat(object)).size).toBeGreaterThan(0);
  }
});

test("the same inputs give the same image, another bundle changes only the snapshot", async () => {
  const steps: string[] = [];
  const bundle = (text: string) => `globalThis.guest = { boot() { return "${text}" }, wake() {} };`;
  const make = async (text: string, out: string) => {
    const { path, symbolsPath } = await buildImage({
      arch: "x86_64",
      bundle: bundle(text),
      out: `build/images/test-${out}.elf`,
      onProgress: ({ step, done, of }) => steps.push(`${done}/${of} ${step}`),
    });
    onTestFinished(() => Promise.all([rm(path), rm(symbolsPath)]).then(() => undefined));
    return readFile(path);
  };
  const first = await make("one", "first");
  const second = await make("one", "second");
  const third = await make("two", "third");
  expect(Buffer.compare(first, second)).toBe(0);
  expect(Buffer.compare(first, third)).not.toBe(0);
  const code = (bytes: Buffer) => {
    const text = parseElf(bytes).segments[0];
    return bytes.subarray(text?.offset ?? 0, (text?.offset ?? 0) + 65536);
  };
  expect(Buffer.compare(code(first), code(third))).toBe(0);
  expect(steps.slice(0, 8).at(-1)).toMatch(/^7\/7 done$/);
});
