/** Links linux-loader.S with an image as it lies in memory. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, findCompiler } from "../../../src/image/compiler.ts";
import { parseElf } from "./elf.ts";

const LINUX_LOADER = fileURLToPath(new URL("linux-loader.S", import.meta.url));
/** Where the loader's data lies: the root pointer of ACPI that it tells is the first. */
export const LOADER_DATA = 0x102000;

export interface LinuxLoaderOptions {
  /** The image's file. */
  readonly image: string;
  /** What the loader says of the machine's memory. */
  readonly memoryBytes: number;
  /** Of the compiler, as `-DFLAT`. */
  readonly flags: readonly string[];
  /** Where the result is written. */
  readonly folder: string;
}

/** Returns the file's name: an ELF file that QEMU loads by Multiboot. */
export async function withLinuxLoader(options: LinuxLoaderOptions): Promise<string> {
  const { image, memoryBytes, flags, folder: directory } = options;
  const { bytes, entry, segments } = parseElf(await readFile(image));
  const [text, data] = segments;
  if (!text || !data) throw new Error("a segment is missing");
  const loaded = bytes.subarray(text.offset, data.offset + data.fileBytes);
  await writeFile(join(directory, "image.bin"), loaded);
  const compiler = await findCompiler({ arch: "i386" });
  const defines = [`-DENTRY=${entry}`, `-DMEMORY_BYTES=${memoryBytes}`, '-DIMAGE="image.bin"'];
  const link = ["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"];
  const places = [
    `-Wl,-Ttext=0x100000,-Tdata=0x${LOADER_DATA.toString(16)},-Tbss=0x108000`,
    `-Wl,--section-start=.image=0x${text.address.toString(16)}`,
  ];
  const out = ["-o", "loader.elf", LINUX_LOADER];
  await compile({ compiler, args: [...defines, ...flags, ...link, ...places, ...out], directory });
  return join(directory, "loader.elf");
}
