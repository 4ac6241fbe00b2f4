/**
 * `node .ci/with-runs.js COUNT COMMAND ARGUMENT...`: runs a command of the package with
 * BALLONET_RUNS set to COUNT, unless the caller has set it.
 */
import { spawnSync } from "node:child_process";

const [count, ...command] = process.argv.slice(2);
const env = { ...process.env, BALLONET_RUNS: process.env.BALLONET_RUNS || count };
// A shell, as the package's programs are .cmd files on Windows.
const { status } = spawnSync(command.join(" "), { env, shell: true, stdio: "inherit" });
process.exitCode = status ?? 1;
