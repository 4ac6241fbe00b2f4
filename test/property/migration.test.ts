/**
 * Migration in random interleavings: whatever is in flight, between hosts that offer this and that.
 *
 * A driver cannot tell that it was migrated. What another host offers besides what was agreed on
 * changes nothing that the driver does, until a reset lets it agree anew.
 */
import fc from "fast-check";
import { describe, it } from "vitest";
import { type Command, migratingCommands, otherHost, steadyCommands } from "./driver/commands.ts";
import type { OtherHost } from "./driver/rig.ts";
import { anySetup, type Setup } from "./driver/setups.ts";
import { World } from "./driver/world.ts";
import { settingsFor } from "./settings.ts";

/** Together half a minute of one processor. */
const MIGRATING_SEQUENCES = 400;
const TWIN_SEQUENCES = 250;

const settings = settingsFor("migration");

/** Queues that are numbered by the offer are somewhere else on a host that offers otherwise. */
const numbered: fc.Arbitrary<Setup> = anySetup.filter(({ profile }) => FIXED.includes(profile));
const FIXED: readonly Setup["profile"][] = ["strict", "v86", "libkrun"];

/** Chance is a host's own, so that what comes back in random order comes back in another one. */
const repeatable = numbered.filter(({ inflate, deflate }) =>
  [inflate, deflate].every(({ kind }) => kind !== "shuffled" && kind !== "scattered"),
);

/** A move adds the parts of a time in another order, and the last bit of the sum may differ. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toFixed(6)) : value;
}

/** All that can be seen of driver and balloon after each command. */
function story(
  setup: Setup,
  commands: readonly Command[],
  moveAfter: (world: World, n: number) => void,
): string[] {
  const world = new World(setup);
  return commands.map((command, n) => {
    world.perform(command);
    const { machine, driver, core } = world.rig;
    const { heldPages, inflatingPages, deflatingPages, actual, nowMs, interruptPending } = machine;
    const seen = { heldPages, inflatingPages, deflatingPages, actual, nowMs, interruptPending };
    const ledger = driver.status();
    const next = JSON.stringify({ command, ...seen, ledger, held: core.ledger_count(4) }, rounded);
    moveAfter(world, n);
    return next;
  });
}

describe("a guest that is migrated", () => {
  it("keeps every page and byte, reaches every target, and agrees anew after a reset", () => {
    fc.assert(
      fc.property(numbered, migratingCommands, (setup, commands) => {
        const world = new World(setup);
        for (const command of commands) world.perform(command);
        world.finish();
      }),
      settings(MIGRATING_SEQUENCES),
    );
  });

  it("does what it would have done at home, whatever the other hosts offer besides", () => {
    fc.assert(
      fc.property(
        repeatable,
        steadyCommands,
        fc.array(otherHost, { minLength: 1, maxLength: 5 }),
        (setup, commands, hosts) => {
          const home = story(setup, commands, () => {});
          const abroad = story(setup, commands, (world, n) => {
            world.migrate(hosts[n % hosts.length] as OtherHost);
          });
          home.forEach((line, n) => {
            if (abroad[n] === line) return;
            throw new Error(`after ${n + 1} commands\n at home ${line}\n abroad  ${abroad[n]}`);
          });
        },
      ),
      settings(TWIN_SEQUENCES),
    );
  });
});
