/**
 * Options: what is understood, and what the error says of everything else.
 */
import { fc, it as property } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { nearestName } from "../../../runtime/nearest-name.ts";
import { sessionOptions, spec } from "../../../src/cli/commands/boot.ts";
import { type Given, parseOptions } from "../../../src/cli/options.ts";
import { FailureError } from "../../../src/failure.ts";

function parse(...args: string[]): Given {
  return parseOptions({ command: "ballonet boot", specs: spec.options, args });
}

function complaint(...args: string[]): string {
  try {
    parse(...args);
  } catch (error) {
    if (error instanceof FailureError) return `${error.what}: ${error.seen}: ${error.todo}`;
    throw error;
  }
  return "none";
}

describe("options", () => {
  it("reads values in both spellings, repeated ones in their order, and switches", () => {
    const given = parse("--target", "half", "--on=qemu", "-v", "--target=0", "--json");
    expect(given.values("target")).toEqual(["half", "0"]);
    expect(given.value("on")).toBe("qemu");
    expect(["json", "verbose", "quiet"].map((name) => given.has(name))).toEqual([
      true,
      true,
      false,
    ]);
    expect(given.value("memory")).toBeUndefined();
  });

  it("takes a value that begins with a dash only when it cannot be an option", () => {
    expect(parse("--append", "-x").value("append")).toBe("-x");
    expect(parse("--append=--x").value("append")).toBe("--x");
  });

  it.each([
    [["--memroy", "64M"], "unknown option: --memroy: did you mean --memory? "],
    [["--xyzzy"], "unknown option: --xyzzy: see `ballonet boot --help`"],
    [["-z"], "unknown option: -z: "],
    [["--target"], "option --target: no value: write --target TARGET"],
    [["--target="], "option --target: no value: "],
    [["--target", "--json"], "option --target: --json instead of a value: "],
    [["--on", "vv86"], 'option --on: "vv86": did you mean v86? choose one of v86, qemu'],
    [["--on", "xen"], 'option --on: "xen": choose one of v86, qemu'],
    [["--persona", "linx"], 'option --persona: "linx": did you mean linux? '],
    [["--json=yes"], 'option --json: the value "yes": '],
    [["--on", "v86", "--on", "qemu"], "option --on: more than one: "],
    [["extra"], '`ballonet boot`: "extra", which no option takes: '],
    [["--", "extra"], '`ballonet boot`: "extra", which no option takes: '],
  ])("of %j says what was seen and what to do", (args, words) => {
    expect(complaint(...args)).toContain(words);
  });

  property.prop([fc.array(fc.string(), { maxLength: 6 })])(
    "whatever is typed is understood or refused in words",
    (args) => {
      try {
        sessionOptions(parse(...args));
      } catch (error) {
        expect(error).toBeInstanceOf(FailureError);
        expect((error as FailureError).todo).not.toBe("");
      }
    },
  );
});

describe("a session's options", () => {
  it("are left to the session when nothing is given", () => {
    expect(sessionOptions(parse())).toEqual({
      on: "v86",
      arch: undefined,
      machine: undefined,
      memoryBytes: undefined,
      workloadBytes: undefined,
      image: undefined,
      balloon: true,
      append: "",
    });
  });

  it("become words of the guest's command line where they are the driver's, the user's own last", () => {
    const { append } = sessionOptions(
      parse(
        ...["--append", "ballonet.poll=5 ballonet.persona=linux", "--persona", "windows"],
        ...["--policy=gentle", "--deflate=silent", "--reserve=2M"],
      ),
    );
    expect(append).toBe(
      "ballonet.persona=windows ballonet.policy=gentle ballonet.deflate=silent " +
        "ballonet.reserve=512 ballonet.poll=5 ballonet.persona=linux",
    );
  });

  it("are read with their units", () => {
    const options = sessionOptions(
      parse(
        ...["--on=qemu", "--arch=i386", "--machine=q35", "--memory=1G", "--workload=0"],
        ...["--target=25%", "--target=4p", "--timeout=500ms", "--no-balloon", "--image=a"],
      ),
    );
    expect(options).toEqual({
      ...{ on: "qemu", arch: "i386", machine: "q35", memoryBytes: 2 ** 30, workloadBytes: 0 },
      ...{ targets: [{ share: 0.25 }, { pages: 4 }], timeoutMs: 500, balloon: false },
      ...{ image: "a", append: "" },
    });
  });

  it("name QEMU's program and its device's options", () => {
    const qemu = ["--on=qemu", "--device", "free-page-reporting=on,event_idx=off"];
    expect(sessionOptions(parse(...qemu, "--qemu=/q"), { BALLONET_QEMU: "/other" })).toMatchObject({
      qemu: "/q",
      device: { "free-page-reporting": "on", event_idx: "off" },
    });
    expect(sessionOptions(parse(...qemu), { BALLONET_QEMU: "/other" }).qemu).toBe("/other");
    expect(sessionOptions(parse(...qemu), { BALLONET_QEMU: "" }).qemu).toBeUndefined();
    expect(sessionOptions(parse(), { BALLONET_QEMU: "/other" }).qemu).toBeUndefined();
    for (const wrong of ["packed", "id=x", "a=1,", "=on"]) {
      expect(() => sessionOptions(parse("--on=qemu", "--device", wrong))).toThrow(
        /^option --device/,
      );
    }
  });

  it("name the option whose value makes no sense", () => {
    expect(() => sessionOptions(parse("--memory", "1X"))).toThrow(/^option --memory: seen "1X"/);
    expect(() => sessionOptions(parse("--reserve", "1B"))).toThrow(/^option --reserve: /);
    expect(() => sessionOptions(parse("--timeout", "now"))).toThrow(/^option --timeout: /);
  });
});

describe("the nearest name", () => {
  const names = ["memory", "machine", "target", "timeout", "on"];

  it.each([
    ["memroy", "memory"],
    ["mem", "memory"],
    ["targets", "target"],
    ["tiemout", "timeout"],
    ["m", undefined],
    ["xyzzy", undefined],
    ["", undefined],
  ])("to %j is %s", (typed, name) => {
    expect(nearestName(typed, names)).toBe(name);
  });

  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 6 });

  property.prop([word, word])("is the typed name itself where there is one", (a, b) => {
    expect(nearestName(a, [b, a])).toBe(a);
  });

  property.prop([word, word])(
    "is near, or begins with what was typed, the same both ways",
    (a, b) => {
      const isNear = nearestName(a, [b]) === b;
      const isBegun = (typed: string, name: string) => typed.length > 1 && name.startsWith(typed);
      if (isNear && !isBegun(a, b)) expect(nearestName(b, [a])).toBe(a);
      if (isNear && !isBegun(a, b)) expect([...a].some((letter) => b.includes(letter))).toBe(true);
    },
  );
});
