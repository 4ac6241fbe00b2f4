/** Machines that lack parts of the old PC, or have newer ones. */
import type { QemuBalloonOptions, QemuMachine } from "../../../src/vmm/qemu/arguments.ts";

export interface Row {
  readonly machine: QemuMachine;
  /** Further properties of the machine. */
  readonly with?: string;
  readonly args?: readonly string[];
  /** Properties that only newer QEMUs have. */
  readonly qemu10?: boolean;
  readonly interrupts?: "msix";
  readonly model?: QemuBalloonOptions["model"];
  /** It is ended by its power button, an event of a generic event device. */
  readonly button?: boolean;
  /** Its only timer is the PIT, until it has heard a second of the date end. */
  readonly hearsDate?: boolean;
}

const SOME: readonly Row[] = [
  { machine: "q35" },
  { machine: "q35", args: ["-smp", "2"] },
  { machine: "q35", with: "hpet=off" },
  { machine: "q35", with: "acpi=off,hpet=off" },
  { machine: "q35", args: ["-cpu", "qemu64,-apic"], hearsDate: true },
  { machine: "q35", with: "pit=off,pic=off,i8042=off", qemu10: true, interrupts: "msix" },
  { machine: "q35", with: "pic=off,i8042=off", qemu10: true, interrupts: "msix" },
  { machine: "pc", with: "hpet=off", args: ["-cpu", "max"] },
  { machine: "pc", with: "acpi=off" },
  { machine: "pc", args: ["-cpu", "qemu64,-apic"], hearsDate: true },
  { machine: "microvm", button: true },
  { machine: "microvm", with: "ioapic2=off" },
  { machine: "microvm", with: "acpi=off" },
  { machine: "microvm", with: "pit=off" },
  { machine: "microvm", with: "pic=off" },
  { machine: "microvm", with: "pit=off,pic=off,rtc=off", button: true },
  { machine: "microvm", with: "pit=off,pic=off,acpi=off", args: ["-smp", "2"] },
  // With 32 address bits QEMU lays a window for PCI over these slots.
  { machine: "microvm", with: "pcie=on", args: ["-cpu", "qemu64"] },
  { machine: "microvm", with: "pcie=on", args: ["-cpu", "qemu64"], model: "virtio-balloon-pci" },
  {
    machine: "microvm",
    with: "pcie=on,pit=off,pic=off",
    args: ["-cpu", "qemu64"],
    model: "virtio-balloon-pci",
    qemu10: true,
    interrupts: "msix",
    button: true,
  },
];

/** A microvm with each set of parts. Without ACPI it has no PCI, whatever is asked for. */
const PARTS = ["pit=off", "pic=off", "rtc=off", "acpi=off", "pcie=on"];
const MICROVMS = Array.from({ length: 2 ** PARTS.length }, (_, set): Row => {
  const parts = PARTS.filter((_part, at) => (set & (1 << at)) !== 0);
  // With 32 address bits QEMU lays a window for PCI where the devices on MMIO are.
  return {
    machine: "microvm",
    args: ["-cpu", "qemu64"],
    ...(parts[0] && { with: parts.join(",") }),
  };
}).filter((row) => !/acpi=off.*pcie=on/.test(row.with ?? ""));
const PCS = (["pc", "q35"] as const).flatMap((machine): Row[] => [
  { machine },
  { machine, with: "hpet=off" },
  { machine, with: "acpi=off" },
  { machine, with: "acpi=off,hpet=off" },
  { machine, args: ["-cpu", "max"] },
  { machine, args: ["-cpu", "qemu64,-apic"], hearsDate: true },
  { machine, with: "pit=off,pic=off,i8042=off", qemu10: true, interrupts: "msix" },
]);

export function rowName({ machine, with: properties, args = [], model, qemu10 }: Row): string {
  return [machine, properties, ...args, model, qemu10 && "(QEMU 10)"].filter(Boolean).join(" ");
}

/** Those of each run, and what `npm run test:long` takes beside them. */
export function machineRows({ long }: { long: boolean }): readonly (Row & { name: string })[] {
  const all = (long ? [...SOME, ...PCS, ...MICROVMS] : SOME).map((row) => ({
    ...row,
    name: rowName(row),
  }));
  return all.filter(({ name }, at) => all.findIndex((other) => other.name === name) === at);
}
