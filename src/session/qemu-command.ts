/**
 * The command line that boots an image on QEMU by hand.
 *
 * The guest's log and QEMU's monitor share the terminal. Ctrl-A C switches between them; in the
 * monitor `balloon 64` moves the balloon and `info balloon` shows it.
 */
import { hex } from "../../runtime/abi.ts";
import { EXIT_PORT, EXIT_PORT_BYTES } from "../vmm/machine.ts";

/** A word that needs no quotes in any shell. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** What to boot, and on which machine. */
export interface QemuCommandOptions {
  readonly arch: "i386" | "x86_64";
  readonly image: string;
  /** In QEMU's words. Default: 256M. */
  readonly memory?: string;
}

/** Returns QEMU's name and its arguments. */
export function qemuCommand({ arch, image, memory = "256M" }: QemuCommandOptions): string[] {
  const exit = `isa-debug-exit,iobase=${hex(EXIT_PORT)},iosize=${EXIT_PORT_BYTES}`;
  return [
    ...[`qemu-system-${arch}`, "-m", memory, "-kernel", image],
    ...["-nodefaults", "-display", "none", "-serial", "mon:stdio"],
    ...["-device", "virtio-balloon-pci", "-device", exit],
  ];
}

/** Returns the words as one line for a POSIX shell, quoted where they need it. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
