/**
 * `ballonet image`: build an image, and print a command that boots it.
 *
 * With --quiet that command is all of standard output, so that a shell can run it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { FailureError } from "../../failure.ts";
import type { ProvideImageOptions } from "../../image/provide-image.ts";
import { qemuCommand } from "../../session/qemu-command.ts";
import { isBzImage, RECIPE_NAMES, recipe } from "../../session/recipes.ts";
import { formatBytes } from "../../text/units.ts";
import { ARCHITECTURES, type Call, type CommandSpec, choice, HELP } from "../command.ts";
import { GOOD } from "../exit-codes.ts";
import { readInput } from "../input-file.ts";
import { expectWritable } from "../output-file.ts";
import { BuildSteps } from "../progress.ts";
import { Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "image",
  text: "build a bootable image, and print the QEMU command that boots it",
  options: [
    choice("arch", ARCHITECTURES, "the guest (x86_64)"),
    { name: "app", value: "FILE", text: "put this program into it, TypeScript or JavaScript" },
    {
      name: "policy",
      value: "FILE",
      text: "put this policy into it; its default export is a Policy",
    },
    { name: "check", text: "an image that checks the device of its machine, and prints TAP" },
    { name: "entry", value: "FILE", text: "a guest program of your own, in TypeScript" },
    {
      name: "out",
      value: "FILE",
      text: "where to write it (ballonet-ARCH.elf, ballonet-check-ARCH.elf)",
    },
    choice("format", RECIPE_NAMES, "for whom to print how to boot it (qemu)"),
    { name: "json", text: "print one JSON object" },
    { name: "quiet", short: "q", text: "print only how to boot it" },
    HELP,
  ],
  notes: [
    "An installed package brings its images. With --app one of them runs a program of your own, " +
      "which esbuild bundles with the packages that it imports; no compiler is needed. With " +
      "--entry the program takes the place of the driver's own, and the image is built, as all " +
      "are in a checkout. The first takes a minute, because the JavaScript engine is compiled; " +
      "later ones take a second or two. GUIDE.md shows a program of each kind.",
    "i386 images boot by Multiboot and PVH, x86_64 images by PVH; with --format kvmtool the file " +
      "is a bzImage, which boots in no other way.",
  ],
  examples: [
    ["ballonet image --arch x86_64 --out guest.elf", "build, and say how to boot"],
    ["ballonet image --app app.ts --out app.elf", "an image that runs app.ts"],
    ["ballonet image --check", "checks of your own VMM's balloon, with no host's hand"],
    ["ballonet image --entry mine.ts --out mine.elf --format libvirt", "with your own program"],
    ['sh -c "$(ballonet image --quiet)"', "build, and boot on QEMU"],
  ],
};

type Work = Pick<typeof import("../../image/index.ts"), "provideImage">;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../image/index.ts"),
): Promise<number> {
  const json = given.has("json");
  const quiet = given.has("quiet") || json;
  const arch = given.value("arch") === "i386" ? "i386" : "x86_64";
  const out = resolve(
    given.value("out") ?? `ballonet-${given.has("check") ? "check-" : ""}${arch}.elf`,
  );
  const format = RECIPE_NAMES.find((name) => name === given.value("format")) ?? "qemu";
  // What cannot be printed is refused before anything is built.
  recipe(format, { arch, image: "" });
  const entry = given.value("entry");
  if (entry !== undefined) await readInput("entry", entry, "a program");
  const app = given.value("app");
  const policy = given.value("policy");
  const chosen = ["app", "policy", "entry", "check"].filter((name) => given.has(name));
  if (chosen.length > (chosen[1] === "policy" ? 2 : 1)) {
    const seen = chosen.map((name) => `--${name}`).join(" and ");
    const todo = "give one of them: --app and --policy are for the driver, --entry takes its place";
    throw new FailureError({ kind: "usage", what: "options", seen, todo });
  }
  const { provideImage } = await load();
  await expectWritable({ path: out, option: "--out", makesFolder: true });
  const screen = new Screen(io.out, io.environment);
  const steps = new BuildSteps(screen);
  let built: { readonly path: string; readonly bytes: number };
  try {
    const options: ProvideImageOptions = {
      arch,
      ...(entry !== undefined && { entry }),
      signal: io.signal,
      out,
      ...(quiet ? {} : { onProgress: (step) => steps.show(step) }),
    };
    if (given.has("check")) {
      const { provideCheckImage } = await import("../../image/provide-check-image.ts");
      built = await provideCheckImage(options);
    } else if (app === undefined && policy === undefined) built = await provideImage(options);
    else {
      const { provideProgramImage } = await import("../../image/provide-program-image.ts");
      const { bytes } = await provideProgramImage({ ...options, app, policy, out });
      built = { path: out, bytes };
    }
  } finally {
    steps.end();
    screen.clear();
  }
  const { path } = built;
  const bytes = isBzImage(format) ? await rewritten(path) : built.bytes;
  const command = qemuCommand({ arch, image: shortPath(path) });
  const text = recipe(format, { arch, image: format === "qemu" ? shortPath(path) : path });
  if (json) {
    const image = { type: "image", arch, path, bytes, command, format, recipe: text };
    io.out.write(`${JSON.stringify(image)}\n`);
  } else if (quiet) io.out.write(`${text}\n`);
  else {
    io.out.write(`${shortPath(path)}, ${formatBytes(bytes)}; boot it with\n\n`);
    io.out.write(`${text}\n${format === "qemu" ? KEYS : ""}`);
  }
  return GOOD;
}

/** Makes the file a bzImage. Returns its new size. */
async function rewritten(path: string): Promise<number> {
  const { asBzImage } = await import("../../image/bz-image.ts");
  const contents = asBzImage(await readFile(path));
  await writeFile(path, contents);
  return contents.length;
}

const KEYS = `
The guest's log appears in the terminal. Ctrl-A C switches to QEMU's monitor
and back: \`balloon 64\` leaves the guest 64 MiB, \`info balloon\` shows the
balloon, \`quit\` ends the machine.
`;

/** From the working directory, where that is shorter and does not lead upwards. */
function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
