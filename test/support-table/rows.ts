/**
 * The rows of the table of support, and the tests that each cell rests on. A cell without tests was
 * not tried.
 */

/** Where something was tried, as the table's columns. */
export const PLACES = {
  qemu: "QEMU, as installed",
  qemu10: "QEMU 10",
  v86: "v86",
  inProcess: "in process",
} as const;
export type Place = keyof typeof PLACES;

/** Tests: a file below test/, and what their full names contain, quotes left out. */
export interface Evidence {
  readonly file: string;
  readonly name: RegExp;
}

export interface SupportRow {
  readonly group: "Transports" | "Rings" | "Interrupts" | "Features" | "Life cycle" | "Hosts";
  readonly what: string;
  readonly tests: Readonly<Partial<Record<Place, Evidence>>>;
}

const FEATURES = "boot/guest/features.test.ts";
const LIFECYCLE = "boot/guest/lifecycle.test.ts";
const INTERRUPTS = "boot/guest/interrupts.test.ts";
const MODES = "boot/guest/modes.test.ts";
const MOVES = "boot/migration/migration.test.ts";
const RANGES = "conformance/ranges.test.ts";
const MOVED = "conformance/migration.test.ts";
const FIRST = "unit/embed/first-target.test.ts";

const of = (file: string, name: RegExp): Evidence => ({ file, name });

/** A row of boot/guest/features.test.ts, which both versions of QEMU run on both processors. */
function onQemu(name: string): Pick<SupportRow["tests"], "qemu" | "qemu10"> {
  return {
    qemu: of(FEATURES, new RegExp(`, version as installed > ${name}$`)),
    qemu10: of(FEATURES, new RegExp(`, version 10 > ${name}$`)),
  };
}

const v86Target = of(MODES, /^v86 > a new target reaches the guest/);
const onMachine = (name: string) => of(FIRST, new RegExp(`^on ${name} > with `));
const movedOver = (name: string) => of(MOVED, new RegExp(`^${name} > `));

export const SUPPORT_ROWS: readonly SupportRow[] = [
  {
    group: "Transports",
    what: "PCI, modern",
    tests: { ...onQemu("modern only"), v86: v86Target, inProcess: onMachine("strict") },
  },
  {
    group: "Transports",
    what: "PCI, transitional, by either interface",
    tests: { ...onQemu("transitional.*"), inProcess: movedOver("transitional PCI") },
  },
  {
    group: "Transports",
    what: "PCI, legacy",
    tests: { ...onQemu("legacy only"), inProcess: onMachine("strict, legacy PCI") },
  },
  {
    group: "Transports",
    what: "MMIO, version 2",
    tests: { ...onQemu("MMIO"), inProcess: onMachine("strict, MMIO") },
  },
  {
    group: "Transports",
    what: "MMIO, version 1",
    tests: { ...onQemu("legacy MMIO"), inProcess: movedOver("legacy MMIO") },
  },
  {
    group: "Rings",
    what: "split, without EVENT_IDX and indirect tables",
    tests: onQemu("plain split rings"),
  },
  {
    group: "Rings",
    what: "packed, with EVENT_IDX and without",
    tests: { ...onQemu("packed rings.*"), inProcess: movedOver("packed rings") },
  },
  {
    group: "Rings",
    what: "IN_ORDER, with split and packed rings",
    tests: { inProcess: of(MOVED, /^(buffers in order|packed, in order) > /) },
  },
  {
    group: "Rings",
    what: "ACCESS_PLATFORM",
    tests: onQemu("behind a platforms address translation"),
  },
  {
    group: "Interrupts",
    what: "MSI-X, shared or one message a queue",
    tests: {
      qemu10: of(INTERRUPTS, /> \d+ vectors, |> (pc|q35), /),
      inProcess: onMachine("strict, MSI-X"),
    },
  },
  {
    group: "Interrupts",
    what: "by line",
    tests: {
      qemu: of(MODES, /^qemu .*> a new target reaches the guest/),
      qemu10: of(INTERRUPTS, /> the line, when it is asked for$/),
      v86: v86Target,
      inProcess: onMachine("qemu"),
    },
  },
  { group: "Interrupts", what: "none: polling", tests: onQemu("polling") },
  {
    group: "Features",
    what: "statistics",
    tests: {
      qemu: of("boot/guest/qemu-matrix.test.ts", /> sends statistics that move/),
      v86: of("boot/cli/v86.test.ts", /^a session > of the default kind/),
    },
  },
  {
    group: "Features",
    what: "DEFLATE_ON_OOM",
    tests: {
      qemu: of(FEATURES, /^deflate on OOM > /),
      inProcess: of("unit/embed/pressure.test.ts", /^a guest that runs out of memory > /),
    },
  },
  {
    group: "Features",
    what: "free page reporting",
    tests: {
      qemu: of(FEATURES, /^page reporting > /),
      inProcess: of(RANGES, /^(free page reporting|reporting ahead of an inflate) > /),
    },
  },
  {
    group: "Features",
    what: "free page hinting, in a migration or a saved state",
    tests: {
      qemu: of("boot/migration/hints.test.ts", /^systems QEMU, .*> free memory is not sent/),
      qemu10: of("boot/migration/hints.test.ts", /^QEMU 10.* > free memory is not sent/),
      v86: of(FEATURES, /^hinting on v86 > /),
      inProcess: of(RANGES, /^free page hinting > /),
    },
  },
  {
    group: "Features",
    what: "PAGE_POISON",
    tests: { qemu: of(FEATURES, /^page poison > /), inProcess: of(RANGES, /^page poison > /) },
  },
  {
    group: "Features",
    what: "MUST_TELL_HOST, accepted or declined",
    tests: { inProcess: of("conformance/modes.test.ts", /MUST_TELL_HOST/) },
  },
  {
    group: "Features",
    what: "each deflate mode, each persona",
    tests: {
      qemu: of(MODES, /: (pages come back|boots and follows)/),
      inProcess: of("conformance/personas.test.ts", /^persona /),
    },
  },
  {
    group: "Life cycle",
    what: "plugged in and out while the guest runs",
    tests: {
      qemu: of(LIFECYCLE, /^(i386|x86_64) (pc|q35) > is (un)?plugged /),
      qemu10: of(LIFECYCLE, /QEMU 10, with messages > is (un)?plugged /),
    },
  },
  {
    group: "Life cycle",
    what: "reset by the host",
    tests: {
      qemu: of(LIFECYCLE, /> a reset amid an inflate/),
      v86: of("boot/guest/restart.test.ts", /^v86 > after a reset/),
    },
  },
  {
    group: "Life cycle",
    what: "power button, suspend and resume",
    tests: { qemu: of(LIFECYCLE, /> (the power button|suspend gives)/) },
  },
  {
    group: "Life cycle",
    what: "live migration, or a saved state that goes on",
    tests: {
      qemu: of(MOVES, /> a guest with a half-inflated balloon moves twice/),
      qemu10: of(MOVES, /^QEMU 10.* > all that the balloon has goes on/),
      v86: of("boot/guest/restart.test.ts", /^v86: a state saved/),
      inProcess: of(MOVED, /> (at rest|amid inflating)/),
    },
  },
  {
    group: "Hosts",
    what: "QEMU pc and q35, i386 and x86_64, up to 6 GiB",
    tests: { qemu: of("boot/guest/qemu-matrix.test.ts", /> reaches every target/) },
  },
  {
    group: "Hosts",
    what: "QEMU microvm",
    tests: { qemu: of("boot/cli/qemu.test.ts", /microvm, with a script of targets$/) },
  },
  {
    group: "Hosts",
    what: "GRUB by Multiboot 2, i386 and x86_64, under a BIOS and under UEFI",
    tests: { qemu: of("boot/machines/grub.test.ts", /(is told of its memory|follows a target): /) },
  },
  {
    group: "Hosts",
    what: "loaders that start Linux with boot_params, i386 and x86_64",
    tests: { qemu: of("boot/kernel/protocols.test.ts", /entry of the Linux protocol$/) },
  },
  {
    group: "Hosts",
    what: "processors of QEMU that have what the images need",
    tests: { qemu: of("boot/machines/processors.test.ts", / on every processor /) },
  },
  {
    group: "Hosts",
    what: "libvirt, by the printed recipe",
    tests: { qemu: of("boot/vmm/libvirt.test.ts", /^starts, moves its balloon/) },
  },
  {
    group: "Hosts",
    what: "v86, in Node",
    tests: { v86: of("boot/cli/v86.test.ts", /^a session > of the default kind/) },
  },
  {
    group: "Hosts",
    what: "a wasm VM, in Chromium",
    tests: { inProcess: of("boot/vmm/browser.test.ts", /^inflates and deflates inside a page$/) },
  },
  {
    group: "Hosts",
    what: "devices that behave as those of Firecracker, crosvm, Cloud Hypervisor and libkrun",
    tests: { inProcess: onMachine("(firecracker|crosvm|cloud-hypervisor|libkrun)") },
  },
];
