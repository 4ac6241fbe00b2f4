/**
 * The whole driver against the reference machine, in random interleavings.
 *
 * A failure prints the seed and the shortest sequence that still fails.
 */
import fc from "fast-check";
import { describe, it } from "vitest";
import { type Command, honestCommands, lyingCommands, silentCommands } from "./driver/commands.ts";
import { anySetup, type Setup, silentSetup } from "./driver/setups.ts";
import { World } from "./driver/world.ts";
import { settingsFor } from "./settings.ts";

/** What a change has to survive: half a minute of one processor. */
const HONEST_SEQUENCES = 10_000;
const LYING_SEQUENCES = 1500;
const SILENT_SEQUENCES = 500;

const settings = settingsFor("driver");

function play(setup: Setup, commands: readonly Command[]): void {
  const world = new World(setup);
  for (const command of commands) world.perform(command);
  world.finish();
}

describe("driver and device", () => {
  it("agree on every page after every step, and reach every target within reach", () => {
    fc.assert(fc.property(anySetup, honestCommands, play), settings(HONEST_SEQUENCES));
  });

  it("part when the device lies: the driver fails, the guest lives on, a reset heals", () => {
    fc.assert(fc.property(anySetup, lyingCommands, play), settings(LYING_SEQUENCES));
  });

  it("agree but for what was deflated silently: no page is lost, a reset makes all known", () => {
    fc.assert(fc.property(silentSetup, silentCommands, play), settings(SILENT_SEQUENCES));
  });
});
