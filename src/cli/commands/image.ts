/**
 * `ballonet image`: build an image, say how to boot it.
 *
 * Invariant: the last line on standard output is a command that boots the image, ready to paste.
 */
import { relative, resolve } from "node:path";
import type { buildImage } from "../../image/build-image.ts";
import { qemuCommand, shellLine } from "../../session/qemu-command.ts";
import { formatBytes } from "../../text/units.ts";
import { GOOD } from "../exit-codes.ts";
import type { Given } from "../options.ts";
import { sessionPrinter } from "../session/printer.ts";
import type { Io } from "../terminal.ts";

export async function image(parts: {
  given: Given;
  io: Io;
  build: typeof buildImage;
}): Promise<number> {
  const { given, io, build } = parts;
  const json = given.has("json");
  const quiet = given.has("quiet") || json;
  const arch = given.value("arch") === "i386" ? "i386" : "x86_64";
  const out = given.value("out");
  const printer = sessionPrinter({ io, json: false, quiet, verbose: false });
  const startedMs = performance.now();
  let built: Awaited<ReturnType<typeof buildImage>>;
  try {
    built = await build({
      arch,
      signal: io.signal,
      ...(out === undefined ? {} : { out: resolve(out) }),
      onProgress: (progress) => {
        const atMs = Math.round(performance.now() - startedMs);
        printer.event({ type: "building", ...progress, atMs });
      },
    });
  } finally {
    printer.close();
  }
  const command = qemuCommand({ arch, image: shortPath(built.path) });
  if (json) {
    const { path, bytes } = built;
    io.out.write(`${JSON.stringify({ arch, path, bytes, command })}\n`);
  } else {
    if (!quiet) {
      io.out.write(`${shortPath(built.path)}, ${formatBytes(built.bytes)}; boot it with\n\n`);
    }
    io.out.write(`${shellLine(command)}\n`);
    if (!quiet) io.out.write(KEYS);
  }
  return GOOD;
}

const KEYS = `
The guest's log appears in the terminal. Ctrl-A C goes to QEMU's monitor and back: \`balloon 64\`
leaves the guest 64 MiB, \`info balloon\` looks, \`quit\` ends it.
`;

/** From here, where that is shorter and does not lead upwards. */
function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
