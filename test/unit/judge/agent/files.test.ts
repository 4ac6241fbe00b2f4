/** What is read of a kernel's files, and the first file system that is made of them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { readKernel } from "../../../../src/judge/agent/kernel.ts";
import { modulesFolder, readModules } from "../../../../src/judge/agent/modules.ts";

async function folderWith(files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ballonet-files-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}

/** A bzImage as far as its header goes. */
function image({ flags = 1, magic = "HdrS", version = "6.1.0-9 (someone)" } = {}): Buffer {
  const bytes = Buffer.alloc(0x1000);
  bytes.write(magic, 0x202, "latin1");
  bytes.writeUInt16LE(0x400, 0x20e);
  bytes.write(version, 0x600, "latin1");
  bytes.writeUInt16LE(flags, 0x236);
  return bytes;
}

/** A module as far as the names go that it needs. */
const module = (...needs: string[]) => Buffer.from(`\x7fELF\0depends=${needs.join()}\0license=GPL`);

describe("a kernel", () => {
  it("says which processor it is for, and which version it is", async () => {
    const folder = await folderWith({ a: image(), b: image({ flags: 0 }) });
    expect(await readKernel(join(folder, "a"))).toMatchObject({
      arch: "x86_64",
      version: "6.1.0-9",
    });
    expect(await readKernel(join(folder, "b"))).toMatchObject({ arch: "i386" });
  });

  it.each([
    ["for arm64", Buffer.alloc(0x1000, "\0ARMd".padStart(0x3c, "\0")), "a kernel for arm64"],
    ["that is none", image({ magic: "none" }), "a file of 4096 bytes that is no bzImage"],
    ["that is unpacked", Buffer.from("\x7fELF....", "latin1"), "an ELF file"],
    ["that is empty", Buffer.alloc(0), "a file of 0 bytes that is no bzImage"],
  ])("%s is refused in words", async (_what, bytes, seen) => {
    const folder = await folderWith({ vmlinuz: bytes });
    await expect(readKernel(join(folder, "vmlinuz"))).rejects.toMatchObject({
      kind: "missing",
      what: "kernel vmlinuz",
      seen,
    });
  });
});

describe("modules", () => {
  it("load after those that they need, packed or not, at any depth", async () => {
    const folder = await folderWith({
      "kernel/drivers/virtio/virtio_balloon.ko.gz": gzipSync(module("virtio", "virtio_ring")),
      "kernel/drivers/virtio/virtio_pci.ko": module("virtio-pci-modern-dev", "virtio_ring"),
      "kernel/drivers/virtio/virtio-pci-modern-dev.ko": module(),
      "kernel/drivers/virtio/virtio.ko": module("virtio_ring"),
      "kernel/drivers/virtio/virtio_ring.ko": module(),
      "kernel/drivers/net/virtio_net.ko": module(),
    });
    const modules = await readModules(folder);
    expect(modules.map(({ name }) => name)).toEqual([
      "virtio_pci_modern_dev",
      "virtio_ring",
      "virtio_pci",
      "virtio",
      "virtio_balloon",
    ]);
    expect(Buffer.from(modules[4]?.bytes ?? [])).toEqual(module("virtio", "virtio_ring"));
  });

  it("may need each other in a circle, and load once all the same", async () => {
    const folder = await folderWith({
      "virtio_balloon.ko": module("virtio"),
      "virtio.ko": module("virtio_balloon"),
    });
    expect((await readModules(folder)).map(({ name }) => name).sort()).toEqual([
      "virtio",
      "virtio_balloon",
    ]);
  });

  it("without the driver, or that cannot be unpacked, are refused in words", async () => {
    const folder = await folderWith({ "virtio.ko": module() });
    await expect(readModules(folder)).rejects.toMatchObject({
      kind: "missing",
      seen: "no virtio_balloon among 1",
    });
    const broken = await folderWith({ "virtio_balloon.ko.xz": Buffer.from("no xz") });
    await expect(readModules(broken)).rejects.toMatchObject({
      kind: "missing",
      what: "module virtio_balloon.ko.xz",
    });
    await expect(readModules(join(folder, "none"))).rejects.toMatchObject({ kind: "missing" });
  });

  it("are looked for beside the kernel", async () => {
    const folder = await folderWith({ "modules/virtio.ko": module() });
    const found = modulesFolder({ path: join(folder, "vmlinuz"), version: "none" });
    expect(found).toBe(join(folder, "modules"));
    expect(modulesFolder({ path: "/nowhere/vmlinuz", version: "none" })).toBeUndefined();
  });

  it("are looked for in the root that the kernel's folder is in", async () => {
    const folder = await folderWith({ "lib/modules/6.1/virtio.ko": module() });
    const found = modulesFolder({ path: join(folder, "boot/vmlinuz-6.1"), version: "6.1" });
    expect(found).toBe(join(folder, "lib/modules/6.1"));
  });
});
