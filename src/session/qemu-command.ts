/**
 * The command line with which a person boots an image on QEMU, without any program of ours.
 *
 * It starts nothing. The log and QEMU's monitor share the terminal: Ctrl-A C goes from one to the
 * other, and in the monitor `balloon 64` and `info balloon` move the balloon and look at it.
 *
 * Invariant: the line can be pasted into a shell as it is, whatever the image's path.
 */
import { EXIT_PORT, EXIT_PORT_BYTES } from "../vmm/qemu/arguments.ts";

/** Needs no quotes in any shell. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

export interface QemuCommandOptions {
  readonly arch: "i386" | "x86_64";
  readonly image: string;
  /** Default: 256M. */
  readonly memory?: string;
}

/** The program and its arguments. */
export function qemuCommand({ arch, image, memory = "256M" }: QemuCommandOptions): string[] {
  const exit = `isa-debug-exit,iobase=0x${EXIT_PORT.toString(16)},iosize=${EXIT_PORT_BYTES}`;
  return [
    ...[`qemu-system-${arch}`, "-m", memory, "-kernel", image],
    ...["-nodefaults", "-display", "none", "-serial", "mon:stdio"],
    ...["-device", "virtio-balloon-pci", "-device", exit],
  ];
}

/** The same as one line for a shell. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
