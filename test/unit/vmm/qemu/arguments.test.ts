/** QEMU's command line. */
import { expect, test } from "vitest";
import { qemuArguments } from "../../../../src/vmm/qemu/arguments.ts";

const MIB = 1024 * 1024;

/** The argument after each occurrence of `flag`. */
function values(args: readonly string[], flag: string): string[] {
  return args.flatMap((arg, index) => (arg === flag ? [args[index + 1] ?? ""] : []));
}

test("QEMU's arguments: bare machine, stopped, channels, exit port, balloon", () => {
  const args = qemuArguments({
    arch: "i386",
    image: "/i mage,x.elf",
    memoryBytes: 32 * MIB,
    append: "a=b c",
  });
  for (const flag of ["-nodefaults", "-no-user-config", "-S"]) expect(args).toContain(flag);
  expect(values(args, "-M")).toEqual(["pc,accel=tcg"]);
  expect(values(args, "-m")).toEqual(["33554432B"]);
  expect(values(args, "-kernel")).toEqual(["/i mage,x.elf"]);
  expect(values(args, "-append")).toEqual(["a=b c"]);
  expect(values(args, "-serial")).toEqual(["chardev:com1", "chardev:com2"]);
  expect(values(args, "-device")).toEqual([
    "isa-debug-exit,iobase=1281,iosize=4",
    "virtio-balloon-pci,id=balloon0",
  ]);
  expect(args).not.toContain("-no-reboot");
});

test("QEMU's arguments: balloon options, no balloon, microvm, preallocation", () => {
  const base = { arch: "x86_64", image: "k", memoryBytes: 64 * MIB } as const;
  const rich = qemuArguments({
    ...base,
    machine: "q35",
    preallocate: true,
    exitOnReboot: true,
    extraArgs: ["-d", "guest_errors"],
    balloon: {
      model: "virtio-balloon-pci-non-transitional",
      deflateOnOom: true,
      freePageHint: true,
      eventIdx: false,
      properties: { addr: "5", name: "a,b" },
    },
  });
  expect(values(rich, "-M")).toEqual(["q35,accel=tcg,memory-backend=ram0"]);
  expect(values(rich, "-object")).toEqual([
    "memory-backend-ram,id=ram0,size=67108864B,prealloc=on",
    "iothread,id=iothread0",
  ]);
  expect(values(rich, "-device").at(-1)).toBe(
    "virtio-balloon-pci-non-transitional,id=balloon0,deflate-on-oom=on,free-page-hint=on," +
      "event_idx=off,iothread=iothread0,addr=5,name=a,,b",
  );
  expect(rich.slice(-3)).toEqual(["-no-reboot", "-d", "guest_errors"]);
  const none = qemuArguments({ ...base, balloon: false });
  expect(none.join(" ")).not.toContain("balloon");
  const micro = qemuArguments({ ...base, machine: "microvm" });
  expect(values(micro, "-device")).toEqual([
    "isa-serial,chardev=com2,index=1",
    "isa-debug-exit,iobase=1281,iosize=4",
    "virtio-balloon-device,id=balloon0",
  ]);
  expect(values(micro, "-global")).toEqual(["virtio-mmio.force-legacy=false"]);
  for (const machine of ["q35", "microvm"] as const) {
    const single = qemuArguments({ ...base, machine, control: "com1" });
    expect(values(single, "-serial")).toEqual(["chardev:com1"]);
    expect(single.join(" ")).not.toContain("com2");
  }
  const legacy = qemuArguments({ ...base, machine: "microvm", balloon: { disableLegacy: false } });
  expect(legacy.join(" ")).not.toContain("legacy");
});

test.each([0, -1, 4096, 1.5 * MIB + 1, Number.NaN, 2 ** 60])(
  "memory of %d bytes is refused",
  (memoryBytes) => {
    expect(() => qemuArguments({ arch: "i386", image: "k", memoryBytes })).toThrow(/memoryBytes/);
  },
);

test("a command line that does not fit, or has a NUL, is refused", () => {
  for (const append of ["x".repeat(4097), "a\0b"]) {
    expect(() => qemuArguments({ arch: "i386", image: "k", memoryBytes: MIB, append })).toThrow(
      expect.objectContaining({ code: "option" }),
    );
  }
});
