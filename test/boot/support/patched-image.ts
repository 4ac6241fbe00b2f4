/**
 * Images of the guest with some text of its sources replaced.
 *
 * They are built by the same steps as every other image, in a cache of their own: the common one
 * keeps few results, and these must not push the compiled engine out.
 */
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../../src/image/build-image.ts";
import { cacheFolder } from "../../../src/package.ts";
import type { PatchedBuild } from "../../support/judged-driver.ts";
import { ROOT } from "./cli-program.ts";

/** What takes long to make and is the same in every image: the engine in C, and compiled. */
const ENGINE = /-engine-(c|i386)$/;

/** Builds images of patched sources for i386. */
export class PatchedImages {
  private readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder of the images. The image of the sources as they are must have been built. */
  static async open(): Promise<PatchedImages> {
    const images = new PatchedImages(await mkdtemp(join(tmpdir(), "ballonet-patched-")));
    const engines = (await readdir(cacheFolder())).filter((name) => ENGINE.test(name));
    for (const name of engines) {
      const to = join(images.cache, name);
      await cp(join(cacheFolder(), name), to, { recursive: true, preserveTimestamps: true });
    }
    return images;
  }

  /** Returns the path of the build's image; `name` is its file's. */
  async build(name: string, { files, coreBytes }: PatchedBuild): Promise<string> {
    const sources = join(this.folder, name);
    await cp(join(ROOT, "runtime"), join(sources, "runtime"), { recursive: true });
    for (const [file, text] of files) {
      if (file.startsWith("runtime/")) await writeFile(join(sources, file), text);
    }
    const { path } = await buildImage({
      arch: "i386",
      entry: join(sources, "runtime/kernel/main.ts"),
      out: join(this.folder, `${name}.elf`),
      cacheDirectory: this.cache,
      ...(coreBytes && { coreWasm: coreBytes }),
    });
    return path;
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }

  private get cache(): string {
    return join(this.folder, "cache");
  }
}
