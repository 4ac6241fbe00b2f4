/**
 * The files of the page by name: its own, v86's two, the guest's image and its state when it is up.
 * In a checkout they are made of the sources; an installed package brings its own in the archive,
 * and has the rest of their code in lib/.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FailureError } from "../../failure.ts";
import { archivePath, imageName, readArchive } from "../../image/archive.ts";
import { provideImage } from "../../image/provide-image.ts";
import { packageFolder } from "../../package.ts";
import { packageFile } from "../../peers.ts";
import { bundlePage, SHARED_SCRIPT, V86_SCRIPT } from "./bundle.ts";
import { firstState } from "./first-state.ts";

/** Where the page's own files stand in the archive. */
const FOLDER = "play/";
const IMAGE = "guest.elf";
const STATE = "guest.state";

export type PageFiles = ReadonlyMap<string, Uint8Array>;

/** Rejects with the error of an import for a package that is not installed. */
export async function pageFiles(): Promise<PageFiles> {
  const v86 = await v86Files();
  const path = archivePath();
  if (path === undefined) {
    const image = await readFile((await provideImage({ arch: "i386" })).path);
    return new Map([...(await bundlePage()), ...v86, ...(await guestFiles(image))]);
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
  return new Map([...own, ...(await sharedFiles()), ...v86, ...(await guestFiles(image))]);
}

async function guestFiles(image: Uint8Array): Promise<[string, Uint8Array][]> {
  return [
    [IMAGE, image],
    [STATE, await firstState(image)],
  ];
}

/** An import in a script of lib/ of another one beside it. */
const IMPORT = /(?:from|import) ?\(?"\.\/([\w-]+\.js)"/g;

/** How launching v86 loads its package: in a page its script has been loaded before. */
const V86_IMPORT = /\bimport\("v86"\)/g;

/** The script of lib/ that the page imports, and all that it imports. */
async function sharedFiles(): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const wanted = [SHARED_SCRIPT];
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (found.has(name)) continue;
    const text = await readFile(join(packageFolder(), name), "utf8");
    found.set(name, Buffer.from(text.replace(V86_IMPORT, "Promise.resolve(globalThis)")));
    wanted.push(...[...text.matchAll(IMPORT)].map(([, beside]) => `lib/${beside}`));
  }
  return found;
}

async function v86Files(): Promise<[string, Uint8Array][]> {
  return [
    [V86_SCRIPT, await readFile(packageFile("v86", "build/libv86.js"))],
    ["v86.wasm", await readFile(packageFile("v86", "build/v86.wasm"))],
  ];
}
