/**
 * Packages that may be absent, found where they are needed.
 *
 * Their names stand where no bundler reads them: whoever bundles this package for Node need not
 * have them.
 */
import { createRequire } from "node:module";

const ESBUILD = "esbuild";

/** Returns esbuild. Rejects with Node's error when it is not installed. */
export function loadEsbuild(): Promise<typeof import("esbuild")> {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ ESBUILD);
}

/**
 * Returns the path of a file of an installed package.
 * @throws Node's error when the package is not installed.
 */
export function packageFile(name: string, path: string): string {
  const { resolve } = createRequire(import.meta.url);
  return resolve(`${name}/${path}`);
}
