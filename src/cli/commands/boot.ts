/**
 * `ballonet boot`: options to a session, events to a printer, the last event to an exit code.
 *
 * It holds no logic of the session. Invariant: the user's own words for the guest's command line
 * come last, so that they win over what the other options made of it.
 */

import type { SessionOptions } from "../../session/plan.ts";
import type { runSession } from "../../session/session.ts";
import { parseDuration, parsePages, parseSize, parseTarget } from "../../text/units.ts";
import { exitCodeOf, GOOD } from "../exit-codes.ts";
import type { Given } from "../options.ts";
import { sessionPrinter } from "../session/printer.ts";
import type { Io } from "../terminal.ts";

/** Options of `boot` that become a word of the guest's command line as they are. */
const DRIVER_WORDS = ["persona", "policy", "deflate"] as const;

/** Throws FailureError `usage`. */
export function sessionOptions(given: Given): SessionOptions {
  const size = (name: string): number | undefined => {
    const text = given.value(name);
    return text === undefined ? undefined : parseSize(text, `option --${name}`);
  };
  const reserve = given.value("reserve");
  const words = [
    ...DRIVER_WORDS.flatMap((name) => {
      const value = given.value(name);
      return value === undefined ? [] : [`ballonet.${name}=${value}`];
    }),
    ...(reserve === undefined
      ? []
      : [`ballonet.reserve=${parsePages(reserve, "option --reserve")}`]),
    ...(given.has("append") ? [given.value("append")] : []),
  ];
  const targets = given.values("target").map(parseTarget);
  const timeout = given.value("timeout");
  return {
    on: given.value("on") === "qemu" ? "qemu" : "v86",
    arch: given.value("arch") as SessionOptions["arch"],
    machine: given.value("machine") as SessionOptions["machine"],
    memoryBytes: size("memory"),
    workloadBytes: size("workload"),
    image: given.value("image"),
    balloon: !given.has("no-balloon"),
    append: words.join(" "),
    ...(targets.length > 0 ? { targets } : {}),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout, "option --timeout") }),
  };
}

export async function boot(parts: {
  given: Given;
  io: Io;
  run: typeof runSession;
}): Promise<number> {
  const { given, io, run } = parts;
  const options = sessionOptions(given);
  const printer = sessionPrinter({
    io,
    json: given.has("json"),
    quiet: given.has("quiet"),
    verbose: given.has("verbose"),
  });
  let code = GOOD;
  try {
    for await (const event of run({ ...options, signal: io.signal })) {
      printer.event(event);
      if (event.type === "failed") code = exitCodeOf(event);
    }
  } finally {
    printer.close();
  }
  return code;
}
