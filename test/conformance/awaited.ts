/**
 * Rules that the device judges and that no mutant of this driver breaks yet, and why; faults that no
 * test of the driver names yet.
 *
 * Invariant: an entry goes away with the first mutant or test of it; the tables' tests insist.
 */
const reasons = {
  "No scenario of the driver hints, poisons or reports yet.": [
    "G-QUEUE-FEATURE",
    "Q-STRANGE-QUEUE",
    "D2",
    "D21-SIZE",
    "D21-ID",
    "D21-START",
    "D21-ONCE",
    "D21-STOP",
    "D22",
    "D22-STOP",
    "D24",
    "D25",
    "D25-SET",
    "D25-KEEP",
    "D26",
    "D27",
    "D28",
    "Q-RANGE-ALIGN",
    "Q-RANGE-MEMORY",
    "Q-RANGE-HELD",
    "Q-RANGE-TWICE",
    "Q-REPORT-WRITABLE",
  ],
  "No scenario of the driver uses packed queues yet.": [
    "G-RING-PACKED",
    "R-PACKED-ZERO",
    "R-PACKED-PARTIAL",
    "R-PACKED-SKIP",
    "R-PACKED-ID-RANGE",
    "R-PACKED-ID-BUSY",
    "R-PACKED-INDIRECT-FLAGS",
    "R-EVENT-FLAGS",
  ],
  "No scenario of the driver uses buffers in order, sends data or resets a queue yet.": [
    "P-NOTIFY-DATA",
    "P-RESET-VALUE",
    "R-RESET-WAIT",
    "R-IN-ORDER-NEXT",
    "R-IN-ORDER-HEAD",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** By rule: the reason. */
export const awaited: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(reasons).flatMap(([reason, ids]) => ids.map((id) => [id, reason])),
);

/** Faults that the driver has no scenario for yet. */
export const awaitedFaults: readonly string[] = [
  "queue-reset-slow",
  "queue-reset-never",
  "hint-id-stale",
  "hint-done-early",
];
