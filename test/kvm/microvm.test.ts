/** QEMU's microvm on KVM, with parts of the old PC and without. */
import { IS_LONG, type Row, testRows } from "./support/row.ts";

const ROWS: readonly Row[] = [
  { arch: "x86_64", machine: "microvm" },
  { arch: "x86_64", machine: "microvm", control: "com1" },
  { arch: "x86_64", machine: "microvm", with: "acpi=off" },
  { arch: "x86_64", machine: "microvm", with: "pit=off" },
  { arch: "x86_64", machine: "microvm", with: "pic=off" },
  { arch: "x86_64", machine: "microvm", with: "pit=off,pic=off,rtc=off" },
  { arch: "i386", machine: "microvm", with: "pit=off,pic=off,acpi=off" },
];

const PARTS = ["pit=off", "pic=off", "rtc=off", "acpi=off", "pcie=on"];
const MORE: readonly Row[] = (["x86_64", "i386"] as const).flatMap((arch) =>
  Array.from({ length: 2 ** PARTS.length }, (_, set): Row => {
    const parts = PARTS.filter((_part, at) => (set & (1 << at)) !== 0);
    return { arch, machine: "microvm", with: parts.join(",") };
    // Without ACPI it has no PCI, whatever is asked for.
  }).filter((row) => !/acpi=off.*pcie=on/.test(row.with ?? "")),
);

testRows(IS_LONG ? [...ROWS, ...MORE] : ROWS);
