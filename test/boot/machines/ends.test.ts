/**
 * Machines without a device that takes an exit code: the guest logs the code and switches off, by
 * what ACPI says or by a reset, and an error never makes it boot again.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { STOP } from "../../../runtime/kernel/exit-codes.ts";
import { findOnPath } from "../../support/process-tree.ts";
import { toolOrSkip } from "../../support/tools.ts";
import { type Arch, scriptImage } from "../support/kernel-images.ts";
import { startMachine } from "../support/serial-machine.ts";

const ARCHES: readonly Arch[] = ["i386", "x86_64"];

beforeEach((context) => {
  for (const arch of ARCHES) {
    toolOrSkip(context, findOnPath(`qemu-system-${arch}`), `qemu-system-${arch}`);
  }
});

function start(arch: Arch, machine: string, image: string, more: readonly string[] = []) {
  const args = ["-accel", "tcg", "-M", machine, "-m", "64M", "-nodefaults", "-display", "none"];
  const rest = ["-no-reboot", "-serial", "stdio", "-kernel", image];
  const guest = startMachine(`qemu-system-${arch}`, [...args, ...rest, ...more]);
  return { ...guest, log: () => guest.text().replaceAll("\r", "") };
}

const PANIC = 0x43;

describe.each(ARCHES)("%s", (arch) => {
  test.each(["q35", "pc", "microvm"])("%s is switched off with every code", async (machine) => {
    const ends: readonly [string, RegExp][] = [
      ["machine.exit(0)", /^ballonet: the guest has ended with code 0\n$/],
      ["machine.exit(13)", /^ballonet: the guest has ended with code 13\n$/],
      ["nowhere()", new RegExp(`^ballonet: panic: .*\\n.* has ended with code ${PANIC}\\n$`)],
    ];
    for (const [script, log] of ends) {
      const guest = start(arch, machine, await scriptImage(arch, `boot() { ${script} }`));
      expect(await guest.ended).toBe(0);
      expect(guest.log()).toMatch(log);
    }
  });

  // With -no-reboot a reset ends QEMU.
  test("where nothing switches off, a wanted end is a reset", async () => {
    const guest = start(arch, "pc,acpi=off", await scriptImage(arch, "boot() { machine.exit(0) }"));
    expect(await guest.ended).toBe(0);
    expect(guest.log()).toBe("ballonet: the guest has ended with code 0\n");
  });

  test("where nothing switches off, an error under QEMU halts", async () => {
    const guest = start(arch, "pc,acpi=off", await scriptImage(arch, "boot() { machine.exit(7) }"));
    await expect.poll(() => guest.log(), { timeout: 60_000 }).toContain("code 7\n");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(guest.process.exitCode).toBe(null);
    expect(guest.log()).toBe("ballonet: the guest has ended with code 7\n");
  });

  test("a processor that lacks something halts, and is never reset", async () => {
    const image = await scriptImage(arch, "boot() { machine.exit(0) }");
    const guest = start(arch, "q35", image, ["-cpu", "pentium3"]);
    const ended = `ballonet: the guest has ended with code ${STOP.processor}\n`;
    await expect.poll(() => guest.log(), { timeout: 60_000 }).toContain(ended);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(guest.process.exitCode).toBe(null);
    const [first, ...rest] = guest.log().split("\n");
    expect(first).toMatch(/^ballonet: error: the processor lacks .*SSE2; do /);
    expect(rest.join("\n")).toBe(ended);
  });
});
