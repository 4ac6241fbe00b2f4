/** The table of a run: each statement about devices, its check, and the mutant that breaks it. */
import { checks } from "../../../runtime/check/suite.ts";
import { deviceMutants } from "./mutants.ts";
import { unseen } from "./unseen.ts";

/** Returns the table as Markdown. */
export function deviceTable(): string {
  const shown = checks.map(({ id, section, level, says }) => {
    const mutants = deviceMutants.filter(({ breaks }) => breaks === id);
    const mistakes = mutants.map((mutant) => mutant.id).join("; ");
    return `| ${id} | ${section} | ${level} | ${says} | ${mistakes} |`;
  });
  const musts = checks.filter(({ level }) => level.startsWith("MUST")).length;
  return [
    "# What virtio 1.3 demands of a balloon device",
    "",
    `${checks.length} statements with a check, ${musts} of them MUST or MUST NOT; ` +
      `${deviceMutants.length} mutants of the reference device, each found out; ` +
      `${unseen.length} statements without a check.`,
    "",
    "| check | section | level | a device | mutant: a device that |",
    "|---|---|---|---|---|",
    ...shown,
    "",
    "| section | level | a device | why there is no check |",
    "|---|---|---|---|",
    ...unseen.map(
      ({ section, level, says, why }) => `| ${section} | ${level} | ${says} | ${why} |`,
    ),
    "",
  ].join("\n");
}
