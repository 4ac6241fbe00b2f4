/** The package as npm publishes it, put into a project of its own. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { buildImages, ROOT } from "./cli-program.ts";

const run = promisify(execFile);

/** Packs this package into `directory`. Returns the archive and its size in bytes. */
export async function packPackage(
  directory: string,
): Promise<{ readonly archive: string; readonly bytes: number }> {
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", directory], {
    cwd: ROOT,
    env: { ...process.env, npm_config_ignore_scripts: "true" },
  });
  const [packed] = JSON.parse(stdout) as { filename: string; size: number }[];
  if (packed === undefined) throw new Error(`npm pack said ${stdout}`);
  return { archive: join(directory, packed.filename), bytes: packed.size };
}

/**
 * Unpacks this package into `project`/node_modules/ballonet. Nothing else is there, so what an
 * import reaches is published or missing.
 */
export async function installPackage(project: string): Promise<void> {
  const folder = join(project, "node_modules/ballonet");
  await mkdir(folder, { recursive: true });
  const { archive } = await packPackage(project);
  await run("tar", ["-xzf", archive, "-C", folder, "--strip-components=1"]);
  await rm(archive);
}

/** Puts the images into the package, where they are of other sources. */
export async function packImages(): Promise<void> {
  await buildImages();
  await run(process.execPath, [join(ROOT, ".ci/archive.js")]);
}

/** Links the packages that this one can use into `project`, and `others`. */
export async function linkDependencies(
  project: string,
  others: readonly string[] = [],
): Promise<void> {
  const { peerDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  for (const name of new Set([...Object.keys(peerDependencies), ...others])) {
    const link = join(project, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), link);
  }
}
