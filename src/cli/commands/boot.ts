/**
 * `ballonet boot`: options to a session, its events to a printer, its last event to an exit code.
 */
import { CONTROL_PORTS, DEFLATE_MODES, HOST_TRUSTS, PERSONA_NAMES } from "../../../runtime/abi.ts";
import { FailureError } from "../../failure.ts";
import type { SessionOptions } from "../../session/plan.ts";
import { parseDuration, parsePages, parseSize, parseTarget } from "../../text/units.ts";
import { type Call, type CommandSpec, choice, HELP } from "../command.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import { MACHINE_OPTIONS, machineChoice, policyChoice, policyOption } from "../machine-options.ts";
import type { Given } from "../options.ts";
import { sessionPrinter } from "../session/printer.ts";
import type { Io } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "boot",
  text: "boot a guest, move its balloon to each target, and verify memory",
  options: [
    MACHINE_OPTIONS.on,
    MACHINE_OPTIONS.arch,
    MACHINE_OPTIONS.machine,
    { name: "device", value: "OPTIONS", text: "options of QEMU's balloon device: NAME=VALUE,..." },
    MACHINE_OPTIONS.qemu,
    MACHINE_OPTIONS.memory,
    {
      name: "target",
      value: "TARGET",
      repeatable: true,
      text: "size of the balloon; repeat for more (half, then 0; untrusted: a quarter)",
    },
    { name: "workload", value: "SIZE", text: "memory that the guest fills and verifies; 0: none" },
    choice("persona", PERSONA_NAMES, "behave like this driver (ballonet)"),
    choice("host", HOST_TRUSTS, "how far the driver trusts its host (trusted)"),
    policyOption("how the driver follows a target (follow)"),
    choice("deflate", DEFLATE_MODES, "when the host is told of pages in use (tell-first)"),
    { name: "reserve", value: "SIZE", text: "free memory that the driver leaves the guest (1M)" },
    choice(
      "control",
      CONTROL_PORTS,
      "the serial port of the control channel; com1 has the log, too (com2)",
    ),
    { name: "append", value: "WORDS", text: "more words for the guest's command line" },
    { name: "image", value: "FILE", text: "boot this image instead of building one" },
    { name: "no-balloon", text: "a machine without a balloon device" },
    { name: "timeout", value: "TIME", text: "longest time without progress (30s)" },
    { name: "json", text: "print events as JSON, one object per line" },
    { name: "verbose", short: "v", text: "show the guest's log" },
    { name: "quiet", short: "q", text: "print only the summary" },
    HELP,
  ],
  notes: [
    "Values in brackets are the defaults. TARGET is how much the balloon holds: half, 0, a share " +
      "(40%), a size (128M) or pages (4096p). SIZE needs a unit: 256M, 1G, 512K. TIME is 30s, " +
      "500ms or 2m.",
    "With --json the last event is `summary` or `failed`.",
    "A policy of your own is a module whose default export is a Policy. It goes into the image, " +
      "which takes the package esbuild. GUIDE.md shows one.",
    "The policy report-only needs QEMU. It moves no balloon: the guest frees its workload, and " +
      "the session shows how that memory comes back to the host.",
    "When the device offers MUST_TELL_HOST, only tell-first and tell-if-must are allowed, unless " +
      "the guest declines the offer: --append ballonet.must-tell-host=decline.",
  ],
  examples: [
    ["ballonet boot", "v86, half of 64 MiB and back"],
    [
      "ballonet boot --on qemu --memory 3G --target 75% --target 1G --target 0",
      "three targets on QEMU",
    ],
    ["ballonet boot --on qemu --persona linux --json", "behave like Linux; JSON for programs"],
  ],
};

/** Options of `boot` that become a word of the guest's command line as they are. */
const DRIVER_WORDS = ["persona", "host", "policy", "deflate"] as const;

/** A property of a device; its id is ours. */
const PROPERTY = /^(?!id=)([\w-]+)=(.+)$/;

function deviceOptions(text: string): Record<string, string> {
  const properties = text.split(",").map((part) => {
    const [, name, value] = PROPERTY.exec(part) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    throw new FailureError({
      kind: "usage",
      what: "option --device",
      seen: `"${part}"`,
      todo: "write NAME=VALUE,... without an id, such as free-page-reporting=on,deflate-on-oom=on",
    });
  });
  return Object.fromEntries(properties);
}

/**
 * BALLONET_QEMU of `environment` names QEMU's program for sessions on QEMU.
 * @throws FailureError `usage`.
 */
export function sessionOptions(given: Given, environment: Io["environment"] = {}): SessionOptions {
  const workload = given.value("workload");
  const reserve = given.value("reserve");
  const policy = policyChoice(given);
  // The user's own words come last: the guest takes the last one of two with the same key.
  const words = [
    ...DRIVER_WORDS.flatMap((name) => {
      const value = name === "policy" ? policy.name : given.value(name);
      return value === undefined ? [] : [`ballonet.${name}=${value}`];
    }),
    ...(reserve === undefined
      ? []
      : [`ballonet.reserve=${parsePages(reserve, "option --reserve")}`]),
    ...(given.has("append") ? [given.value("append")] : []),
  ];
  const targets = given.values("target").map(parseTarget);
  const timeout = given.value("timeout");
  const device = given.value("device");
  return {
    ...machineChoice(given, environment),
    workloadBytes: workload === undefined ? undefined : parseSize(workload, "option --workload"),
    image: given.value("image"),
    policy: policy.file,
    balloon: !given.has("no-balloon"),
    control: given.value("control") as SessionOptions["control"],
    append: words.join(" "),
    ...(device === undefined ? {} : { device: deviceOptions(device) }),
    ...(targets.length > 0 ? { targets } : {}),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, "option --timeout") }),
  };
}

type Work = Pick<typeof import("../../session/index.ts"), "runSession">;

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../session/index.ts"),
): Promise<number> {
  const { runSession } = await load();
  const options = sessionOptions(given, io.environment);
  const printer = sessionPrinter({
    io,
    json: given.has("json"),
    quiet: given.has("quiet"),
    verbose: given.has("verbose"),
  });
  let code = GOOD;
  try {
    for await (const event of runSession({ ...options, signal: io.signal })) {
      printer.event(event);
      if (event.type === "failed") code = exitCodeOf(event);
    }
  } finally {
    printer.close();
  }
  return code;
}
