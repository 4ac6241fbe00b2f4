/** PCs on KVM, with ACPI and without, and one that has no local APIC. */
import { IS_LONG, type Row, testRows } from "./support/row.ts";

const ROWS: readonly Row[] = [
  { arch: "x86_64", machine: "q35" },
  { arch: "x86_64", machine: "q35", with: "hpet=off", control: "com1" },
  { arch: "x86_64", machine: "pc" },
  { arch: "i386", machine: "q35" },
  { arch: "i386", machine: "pc", control: "com1" },
];

const MORE: readonly Row[] = (["x86_64", "i386"] as const).flatMap((arch): Row[] => [
  { arch, machine: "q35", with: "acpi=off" },
  { arch, machine: "pc", with: "acpi=off,hpet=off" },
  // One wake-up a second by the clock of the date, which costs 13 exits.
  { arch, machine: "pc", args: ["-cpu", "qemu64,-apic"], idleExitsMax: 16 },
]);

testRows(IS_LONG ? [...ROWS, ...MORE] : ROWS);
