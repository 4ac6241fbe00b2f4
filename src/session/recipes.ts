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

function firecracker({ arch, image }: RecipeOptions): string {
  if (arch !== "x86_64") {
    throw new FailureError({
      kind: "usage",
      what: "architecture",
      seen: `${arch} on Firecracker`,
      todo: "use x86_64: Firecracker has no 32-bit machine",
    });
  }
  const config = {
    // Its COM2 leads nowhere.
    "boot-source": { kernel_image_path: image, boot_args: "ballonet.control=com1" },
    drives: [],
    "machine-config": { vcpu_count: 1, mem_size_mib: MEMORY_MIB },
    balloon: { amount_mib: 0, deflate_on_oom: true, stats_polling_interval_s: 1 },
  };
  return JSON.stringify(config, undefined, 2);
}

const RECIPES = {
  qemu: (options: RecipeOptions): string => shellLine(qemuCommand(options)),
  libvirt,
  proxmox,
  firecracker,
} as const;

/** Who a recipe is for. */
export type RecipeName = keyof typeof RECIPES;

/** All names, QEMU's first. */
export const RECIPE_NAMES = Object.keys(RECIPES) as readonly RecipeName[];

/**
 * Returns the recipe: a command for QEMU and Proxmox (whose shell has VMID), a domain's XML for
 * libvirt, the JSON of --config-file for Firecracker.
 * @throws FailureError `usage` for an architecture that the hypervisor lacks.
 */
export function recipe(name: RecipeName, options: RecipeOptions): string {
  return RECIPES[name](options);
}
