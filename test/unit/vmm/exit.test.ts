/** What is left of a machine that has ended. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { exitedError } from "../../../src/vmm/exit.ts";
import { GuestLog } from "../../../src/vmm/log.ts";

class Machine {
  readonly log = new GuestLog();

  end(): void {
    const exit = { reason: "killed", code: null, signal: null, complaint: "" } as const;
    this.log.close(exitedError({ exit, log: this.log }));
  }
}

it("the log of a machine that has ended does not keep the machine", async () => {
  setFlagsFromString("--expose-gc");
  const end = () => {
    const machine = new Machine();
    machine.end();
    return { log: machine.log, machine: new WeakRef(machine) };
  };
  const { log, machine } = end();
  // A WeakRef holds on until the turn is over in which it was made.
  await new Promise((resolve) => setTimeout(resolve));
  runInNewContext("gc")();
  expect(machine.deref()).toBeUndefined();
  await expect(log.waitForLine({ pattern: "up" })).rejects.toThrow("a kill");
});
