/** The script of a page that is opened from a file, where a browser fetches nothing. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { PageFiles } from "./page-files.ts";

/** What the page fetches; the state is compressed already. */
const FETCHED = ["v86.wasm", "guest.elf", "guest.state"];
const GZIP = [0x1f, 0x8b];

/** Returns the files with the script beside them: what may lie in a folder, and needs no server. */
export async function withOffline(files: PageFiles): Promise<PageFiles> {
  const packed = await Promise.all(
    FETCHED.map(async (name) => {
      const contents = files.get(name) ?? new Uint8Array();
      const isPacked = GZIP.every((byte, index) => contents[index] === byte);
      const bytes = isPacked ? contents : await promisify(gzip)(contents);
      return [name, Buffer.from(bytes).toString("base64")] as const;
    }),
  );
  const text = `globalThis.ballonetFiles = ${JSON.stringify(Object.fromEntries(packed))};\n`;
  return new Map([...files, ["offline.js", Buffer.from(text)]]);
}
