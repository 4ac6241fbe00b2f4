/** The guest's command line: what each word does, and that a wrong one is never ignored. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { PERSONA_NAMES } from "../../../runtime/balloon/personas.ts";
import { BallonetError } from "../../../runtime/errors.ts";
import { COMMAND_LINE_KEYS, parseCommandLine } from "../../../runtime/kernel/command-line.ts";

const SAMPLES: Record<keyof typeof COMMAND_LINE_KEYS, string> = {
  persona: "freebsd",
  host: "untrusted",
  hinting: "decline",
  reporting: "decline",
  statistics: "coarse",
  "target-share": "25",
  "move-rate": "20000",
  "turn-rate": "500",
  scrub: "yes",
  policy: "gentle",
  deflate: "use-first",
  "must-tell-host": "decline",
  reserve: "77",
  buffers: "3",
  pfns: "100",
  "queue-size": "64",
  interface: "legacy",
  interrupts: "polling",
  poison: "170",
  "newer-statistics": "yes",
  "wait-for-device": "yes",
  poll: "3000",
  "report-rate": "1024",
  dialect: "two-bit",
  control: "com1",
  "pause-after-features": "5000",
};

it("takes its own words and leaves others alone", () => {
  const line = "image.elf quiet ballonet.reserve=77 ballonet.poll=2000 root=/dev/ballonet.x=1";
  const { settings, policy } = parseCommandLine(line);
  expect(settings).toMatchObject({ reservePages: 77, pollMs: 2000, persona: "ballonet" });
  expect(policy).toBeUndefined();
  expect(summary(" ")).toEqual(summary(""));
});

it("leaves alone what may be a part of the image's path", () => {
  for (const word of ["ballonet.elf", "ballonet.d/x=1.elf", "a/ballonet.policy=x.elf"]) {
    expect(summary(`${word} ballonet.poll=77`), word).toEqual(summary("ballonet.poll=77"));
  }
});

it("the last of two equal words counts", () => {
  expect(parseCommandLine("ballonet.poll=1 ballonet.poll=2").settings.pollMs).toBe(2);
});

it("every key has a meaning", () => {
  const plain = JSON.stringify(summary(""));
  for (const [key, value] of Object.entries(SAMPLES)) {
    expect(JSON.stringify(summary(`ballonet.${key}=${value}`)), key).not.toBe(plain);
  }
  expect(Object.keys(SAMPLES).sort()).toEqual(Object.keys(COMMAND_LINE_KEYS).sort());
});

function summary(line: string) {
  const { settings, policy, ...rest } = parseCommandLine(line);
  return { settings, policy: policy?.name ?? "follow", ...rest };
}

it.each(PERSONA_NAMES)("persona %s", (persona) => {
  expect(parseCommandLine(`ballonet.persona=${persona}`).settings.persona).toBe(persona);
});

it.each([
  ["ballonet.nonsense=1", 'ballonet.nonsense=1"; do use one of the keys persona, '],
  ["ballonet.polcy=gentle", "do write ballonet.policy=gentle, or use one of the keys persona, "],
  ["ballonet.report_rate=9", "do write ballonet.report-rate=9, or "],
  ["ballonet.=1", "ballonet.=1"],
  ["ballonet.poll", "ballonet.poll"],
  ["ballonet.poll=", "ballonet.poll="],
  ["ballonet.poll=1e3", "ballonet.poll=1e3"],
  ["ballonet.poll=-1", "ballonet.poll=-1"],
  ["ballonet.poll=0", "0"],
  ["ballonet.poll=99999999999", "99999999999"],
  ["ballonet.toString=1", "ballonet.toString=1"],
  ["ballonet.persona=amiga", "amiga"],
  ["ballonet.policy=none", "none"],
  ["ballonet.deflate=later", "later"],
  ["ballonet.must-tell-host=perhaps", "perhaps"],
  ["ballonet.buffers=0", "0"],
  ["ballonet.pfns=100000", "100000"],
])("%s is refused, quoting it", (line, quoted) => {
  const refusal = (() => {
    try {
      parseCommandLine(`first ${line} last`);
    } catch (error) {
      return error;
    }
    return undefined;
  })();
  expect(refusal).toBeInstanceOf(BallonetError);
  expect((refusal as BallonetError).code).toBe("config");
  expect((refusal as BallonetError).message).toContain(quoted);
});

it("HOSTS.md has each key, and no other", () => {
  const paper = readFileSync(new URL("../../../HOSTS.md", import.meta.url), "utf8");
  const [, section = ""] = paper.split("## Words of the command line");
  const rows = [...section.matchAll(/^\| `([\w-]+)` \| (.*) \|$/gm)];
  expect(rows.map(([, key, value]) => [key, value])).toEqual(Object.entries(COMMAND_LINE_KEYS));
});
