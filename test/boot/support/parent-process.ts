/**
 * A process that starts machines and then ends in the way that it is told: the subject of tests of
 * what it leaves behind.
 *
 *   parent-process qemu-stay IMAGE    starts two machines, says so, and waits to be killed
 *   parent-process qemu-launch IMAGE  says that it launches, and launches
 *   parent-process qemu-exit IMAGE    starts a machine and calls process.exit(5)
 *   parent-process qemu-throw IMAGE   starts a machine and dies of an error nobody catches
 *   parent-process v86-kill IMAGE     runs a guest, kills it, and ends when Node has nothing to do
 */

import { launchQemu } from "../../../src/vmm/qemu/qemu.ts";
import { launchV86 } from "../../../src/vmm/v86/v86.ts";

const [mode = "", image = ""] = process.argv.slice(2);
const memoryBytes = 32 * 1024 * 1024;
const qemu = () => launchQemu({ arch: "i386", image, memoryBytes });

switch (mode) {
  case "qemu-stay":
    await Promise.all([qemu(), qemu()]);
    console.log("running");
    break;
  case "qemu-launch":
    console.log("launching");
    await qemu();
    break;
  case "qemu-exit":
    await qemu();
    process.exit(5);
    break;
  case "qemu-throw":
    await qemu();
    throw new Error("thrown on purpose, by the test of a parent that dies of an error");
  case "v86-kill": {
    const vm = await launchV86({ image, memoryBytes });
    await vm.log.waitForLine({ pattern: "tiny: boot" });
    const exit = await vm.kill();
    console.log(exit.reason);
    break;
  }
  default:
    throw new Error(`no mode ${mode}`);
}
