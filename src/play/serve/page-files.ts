/**
 * The files of the page by name: its own, v86's two and the guest's image. In a checkout they are
 * made of the sources; an installed package brings them in its archive.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { FailureError } from "../../failure.ts";
import { archivePath, imageName, readArchive } from "../../image/archive.ts";
import { provideImage } from "../../image/provide-image.ts";
import { bundlePage, V86_SCRIPT } from "./bundle.ts";

/** Where the page's own files stand in the archive. */
const FOLDER = "play/";
const IMAGE = "guest.elf";

export type PageFiles = ReadonlyMap<string, Uint8Array>;

/** Rejects with the error of an import for a package that is not installed. */
export async function pageFiles(): Promise<PageFiles> {
  const v86 = await v86Files();
  const path = archivePath();
  if (path === undefined) {
    const image = await provideImage({ arch: "i386" });
    return new Map([...(await bundlePage()), ...v86, [IMAGE, await readFile(image.path)]]);
  }
  const { files } = await readArchive(path);
  const own = [...files]
    .filter(([name]) => name.startsWith(FOLDER))
    .map(([name, contents]) => [name.slice(FOLDER.length), contents] as const);
  const image = files.get(imageName("i386"));
  if (image === undefined || own.length === 0) {
    throw new FailureError({
      kind: "missing",
      what: "the page",
      seen: `none in ${path}`,
      todo: "run `npm run build` in a checkout, and serve build/play",
    });
  }
  return new Map([...own, ...v86, [IMAGE, image]]);
}

async function v86Files(): Promise<[string, Uint8Array][]> {
  const { resolve } = createRequire(import.meta.url);
  return [
    [V86_SCRIPT, await readFile(resolve("v86/build/libv86.mjs"))],
    ["v86.wasm", await readFile(resolve("v86/build/v86.wasm"))],
  ];
}
