/**
 * Recipes for hypervisors: they are what their readers can parse, and name the image.
 */
import { describe, expect, it } from "vitest";
import { isBzImage, RECIPE_NAMES, recipe } from "../../../src/session/recipes.ts";

const OPTIONS = { arch: "x86_64", image: '/a b/<it\'s> & "more".elf' } as const;
const TAG = /<(\/?)([\w-]+)((?:\s+[\w-]+='[^'<&]*')*)\s*(\/?)>/g;

/** Returns the names of the elements. @throws Error unless each one is closed in its place. */
function elements(xml: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  for (const [, closing, name = "", , empty] of xml.matchAll(TAG)) {
    if (closing) {
      if (open.pop() !== name) throw new Error(`</${name}> closes another element`);
    } else {
      names.push(name);
      if (!empty) open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join()}`);
  const text = xml.replace(TAG, "").replace(/&#\d+;/g, "");
  if (/[<>&]/.test(text)) throw new Error(`stray markup in ${text}`);
  return names;
}

describe("a recipe", () => {
  it("for libvirt is well-formed, with kernel, power button, serial line and balloon", () => {
    const xml = recipe("libvirt", OPTIONS);
    const [root, ...rest] = elements(xml);
    expect(root).toBe("domain");
    expect(rest).toEqual(expect.arrayContaining(["kernel", "acpi", "serial", "memballoon"]));
    expect(xml.trimEnd().endsWith("</domain>")).toBe(true);
    expect(xml).toContain("<memballoon model='virtio' freePageReporting='on'>");
    const kernel = /<kernel>(.*)<\/kernel>/.exec(xml)?.[1] ?? "";
    const image = kernel.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    expect(image).toBe(OPTIONS.image);
  });

  it("for Firecracker is JSON with the image and a balloon", () => {
    const config = JSON.parse(recipe("firecracker", OPTIONS));
    expect(config["boot-source"].kernel_image_path).toBe(OPTIONS.image);
    expect(config["boot-source"].boot_args).toBe("ballonet.control=com1");
    expect(config.balloon.amount_mib).toBe(0);
    expect(config["machine-config"].mem_size_mib).toBe(256);
    expect(() => recipe("firecracker", { ...OPTIONS, arch: "i386" })).toThrow(/use x86_64/);
  });

  it("for Proxmox and QEMU is a command", () => {
    const image = "/guest.elf";
    expect(recipe("proxmox", { ...OPTIONS, image })).toMatch(
      /^qm set "\$VMID" .* --serial0 socket --args '-kernel \/guest.elf'$/,
    );
    expect(recipe("qemu", { ...OPTIONS, image })).toMatch(
      /^qemu-system-x86_64 .*-kernel \/guest.elf /,
    );
  });

  it("for Cloud Hypervisor and crosvm is a command", () => {
    const options = { ...OPTIONS, image: "/guest.elf" };
    expect(recipe("cloud-hypervisor", options)).toMatch(
      /^cloud-hypervisor --kernel \/guest.elf .* --balloon size=0,/,
    );
    expect(() => recipe("cloud-hypervisor", { ...options, arch: "i386" })).toThrow(/use x86_64/);
    const crosvm = /^crosvm run --mem 256 .* --serial type=stdout,hardware=serial,num=1,.* \S+$/;
    for (const arch of ["i386", "x86_64"] as const) {
      expect(recipe("crosvm", { ...options, arch })).toMatch(crosvm);
    }
  });

  it("for kvmtool is a command that boots a bzImage, and for no other", () => {
    expect(recipe("kvmtool", { ...OPTIONS, image: "/guest.elf" })).toMatch(
      /^lkvm run --kernel \/guest.elf .* --balloon .*ballonet.control=com1/,
    );
    expect(RECIPE_NAMES.filter(isBzImage)).toEqual(["kvmtool"]);
  });

  it("for GRUB is an entry of its menu, whose words are a shell's", () => {
    expect(recipe("grub", { ...OPTIONS, image: "/a b.elf" })).toBe(
      "menuentry ballonet {\n  multiboot2 '/a b.elf'\n}",
    );
  });
});
