/** The package as npm publishes it, put into a project of its own. */
import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./cli-program.ts";

const run = promisify(execFile);

/**
 * Packs this package and unpacks it into `project`/node_modules/ballonet; nothing else is there, so
 * what an import reaches is published or missing. Returns the folder and the packed size in bytes.
 */
export async function installPackage(
  project: string,
): Promise<{ readonly folder: string; readonly bytes: number }> {
  const folder = join(project, "node_modules/ballonet");
  await mkdir(folder, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", project], {
    cwd: ROOT,
    env: { ...process.env, npm_config_ignore_scripts: "true" },
  });
  const [packed] = JSON.parse(stdout) as { filename: string; size: number }[];
  if (packed === undefined) throw new Error(`npm pack said ${stdout}`);
  const archive = join(project, packed.filename);
  await run("tar", ["-xzf", archive, "-C", folder, "--strip-components=1"]);
  await rm(archive);
  return { folder, bytes: packed.size };
}
