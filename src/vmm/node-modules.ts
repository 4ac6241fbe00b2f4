/**
 * Modules of Node for code that runs in pages, too: they are loaded where they are needed, by names
 * that no bundler follows.
 */

const FILES = "node:fs/promises";
const MODULES = "node:module";

/** Returns the file functions. Rejects in a page. */
export function files(): Promise<typeof import("node:fs/promises")> {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ FILES);
}

/** Returns the functions that find modules. Rejects in a page. */
export function modules(): Promise<typeof import("node:module")> {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ MODULES);
}
