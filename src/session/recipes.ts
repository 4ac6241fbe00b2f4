/**
 * Recipes: what boots an image on each hypervisor, as text to paste or to keep in a file.
 */
import { FailureError } from "../failure.ts";
import { escaped } from "../text/markup.ts";
import { qemuCommand, shellLine } from "./qemu-command.ts";

/** What a recipe boots. */
export interface RecipeOptions {
  readonly arch: "i386" | "x86_64";
  /** The image's path. Give an absolute one, but for QEMU: the others run in another folder. */
  readonly image: string;
}

const MEMORY_MIB = 256;

function libvirt({ arch, image }: RecipeOptions): string {
  const type = arch === "i386" ? "i686" : arch;
  return [
    "<domain type='qemu'>",
    "  <name>ballonet</name>",
    `  <memory unit='MiB'>${MEMORY_MIB}</memory>`,
    "  <vcpu>1</vcpu>",
    "  <os>",
    `    <type arch='${type}' machine='pc'>hvm</type>`,
    `    <kernel>${escaped(image)}</kernel>`,
    "  </os>",
    // The power button: without it the guest does not notice a shutdown.
    "  <features><acpi/></features>",
    "  <devices>",
    "    <serial type='pty'/>",
    "    <memballoon model='virtio' freePageReporting='on'>",
    "      <stats period='1'/>",
    "    </memballoon>",
    "  </devices>",
    "</domain>",
  ].join("\n");
}

/** Proxmox adds the balloon device by itself unless --balloon is 0. */
function proxmox({ image }: RecipeOptions): string {
  const options = ["--memory", String(MEMORY_MIB), "--balloon", "64", "--serial0", "socket"];
  return `qm set "$VMID" ${shellLine([...options, "--args", `-kernel ${shellLine([image])}`])}`;
}

function expectWide({ arch }: RecipeOptions, host: string): void {
  if (arch === "x86_64") return;
  throw new FailureError({
    kind: "usage",
    what: "architecture",
    seen: `${arch} on ${host}`,
    todo: `use x86_64: ${host} has no 32-bit machine`,
  });
}

function firecracker(options: RecipeOptions): string {
  expectWide(options, "Firecracker");
  const { image } = options;
  const config = {
    // Its COM2 leads nowhere.
    "boot-source": { kernel_image_path: image, boot_args: "ballonet.control=com1" },
    drives: [],
    "machine-config": { vcpu_count: 1, mem_size_mib: MEMORY_MIB },
    balloon: { amount_mib: 0, deflate_on_oom: true, stats_polling_interval_s: 1 },
  };
  return JSON.stringify(config, undefined, 2);
}

function cloudHypervisor(options: RecipeOptions): string {
  expectWide(options, "Cloud Hypervisor");
  const machine = ["--cpus", "boot=1", "--memory", `size=${MEMORY_MIB}M`];
  const ports = ["--serial", "tty", "--console", "off", "--api-socket", "ch.sock"];
  const balloon = ["--balloon", "size=0,deflate_on_oom=on,free_page_reporting=on"];
  const all = ["--kernel", options.image, ...machine, ...ports, ...balloon];
  return shellLine(["cloud-hypervisor", ...all]);
}

function crosvm({ image }: RecipeOptions): string {
  const serial = ["--serial", "type=stdout,hardware=serial,num=1,stdin=true"];
  // It has four serial ports, whether or not anything is on them.
  const words = ["--params", "ballonet.control=com1"];
  const machine = ["--mem", String(MEMORY_MIB), ...words, "--socket", "crosvm.sock"];
  return shellLine(["crosvm", "run", ...machine, ...serial, image]);
}

/** It takes nothing but a bzImage: see `isBzImage`. Its shell's terminal is the serial port. */
function kvmtool({ image }: RecipeOptions): string {
  const machine = ["--mem", String(MEMORY_MIB), "--cpus", "1", "--balloon", "--console", "serial"];
  // It has four serial ports, whether or not anything is on them.
  const words = ["--params", "ballonet.control=com1"];
  return shellLine(["lkvm", "run", "--kernel", image, "--name", "ballonet", ...machine, ...words]);
}

/** GRUB reads words as a shell does. The path is one on GRUB's own root. */
function grub({ image }: RecipeOptions): string {
  return ["menuentry ballonet {", `  ${shellLine(["multiboot2", image])}`, "}"].join("\n");
}

const RECIPES = {
  qemu: (options: RecipeOptions): string => shellLine(qemuCommand(options)),
  libvirt,
  proxmox,
  firecracker,
  "cloud-hypervisor": cloudHypervisor,
  crosvm,
  kvmtool,
  grub,
} as const;

/** Who a recipe is for. */
export type RecipeName = keyof typeof RECIPES;

/** All names, QEMU's first. */
export const RECIPE_NAMES = Object.keys(RECIPES) as readonly RecipeName[];

/** Whether the hypervisor boots the image as a bzImage, and not as an ELF file. */
export function isBzImage(name: RecipeName): boolean {
  return name === "kvmtool";
}

/**
 * Returns the recipe: a command for QEMU, Proxmox (whose shell has VMID), Cloud Hypervisor, crosvm
 * and kvmtool, a domain's XML for libvirt, the JSON of --config-file for Firecracker, an entry of
 * GRUB's menu.
 * @throws FailureError `usage` for an architecture that the hypervisor lacks.
 */
export function recipe(name: RecipeName, options: RecipeOptions): string {
  return RECIPES[name](options);
}
