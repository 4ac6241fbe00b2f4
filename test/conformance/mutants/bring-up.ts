/** Mistakes in bringing a device up and in giving it up. */
import type { Mutant } from "./mutant.ts";

const BRING_UP = "runtime/virtio/bring-up.ts";
const DRIVER = "runtime/balloon/driver.ts";
const DEVICE_CONFIG = "runtime/balloon/config.ts";
const DEVICE_QUEUES = "runtime/balloon/device-queues.ts";
const PLAN = "runtime/balloon/bring-up-plan.ts";

export const bringUpMutants: readonly Mutant[] = [
  {
    id: "starts without a reset",
    file: BRING_UP,
    find: 'private current: BringUpState = { name: "reset", refusals: 0 };',
    replace: 'private current: BringUpState = { name: "acknowledge", refusals: 0 };',
    breaks: "G-RESET-FIRST",
    scenario: "several targets",
  },
  {
    id: "does not wait for the end of a reset",
    file: BRING_UP,
    find: 'return { name: "await-reset", refusals: state.refusals, polls: 0 };',
    replace: 'return { name: "acknowledge", refusals: state.refusals };',
    breaks: "G-RESET-WAIT",
    scenario: "a slow reset",
  },
  {
    id: "sets DRIVER before ACKNOWLEDGE",
    file: BRING_UP,
    find: "transport.addStatus(STATUS.ACKNOWLEDGE);",
    replace: "transport.addStatus(STATUS.DRIVER);",
    breaks: "G-ORDER",
    scenario: "several targets",
  },
  {
    id: "sets ACKNOWLEDGE and DRIVER together",
    file: BRING_UP,
    find: "transport.addStatus(STATUS.ACKNOWLEDGE);",
    replace: "transport.addStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER);",
    breaks: "G-ONE-STEP",
    scenario: "several targets",
  },
  {
    id: "writes status bits instead of adding them",
    file: "runtime/virtio/transport.ts",
    find: "if (before !== STATUS_GONE) return before | bits;",
    replace: "if (before !== STATUS_GONE) return bits;",
    breaks: "G-STATUS-CLEARED",
    scenario: "several targets",
  },
  {
    id: "takes VERSION_1 for granted and reads one word of the offer",
    file: BRING_UP,
    find: "words.push(this.transport.deviceFeatures(word));",
    replace: "words.push(word === 1 ? 1 : this.transport.deviceFeatures(word));",
    breaks: "G-FEATURE-READ",
    scenario: "several targets",
  },
  {
    id: "accepts page reporting unasked",
    file: BRING_UP,
    find: "return { offered, negotiated: wanted | required, refusals };",
    replace: "return { offered, negotiated: wanted | required | 32n, refusals };",
    breaks: "G-UNOFFERED",
    scenario: "several targets",
  },
  {
    id: "accepts all that is offered",
    file: PLAN,
    find: "let accept = featureSet(...known, ...promises(dialect, deflateMode)) & offered;",
    replace: "let accept = offered;",
    breaks: "G-RESERVED-BIT",
    scenario: "targets, bits without a meaning offered",
  },
  {
    id: "forgets VERSION_1",
    file: BRING_UP,
    find: "return { offered, negotiated: wanted | required, refusals };",
    replace: "return { offered, negotiated: wanted, refusals };",
    breaks: "G-VERSION-1",
    scenario: "several targets",
  },
  {
    id: "accepts features once more after FEATURES_OK",
    file: BRING_UP,
    find: "transport.addStatus(STATUS.FEATURES_OK);",
    replace:
      "transport.addStatus(STATUS.FEATURES_OK); this.writeFeatures(state.wanted.negotiated);",
    breaks: "G-FEATURES-LATE",
    scenario: "several targets",
  },
  {
    id: "does not read FEATURES_OK back",
    file: BRING_UP,
    find: "return this.checkFeaturesOk(state.wanted);",
    replace: 'return { name: "queues", negotiation: state.wanted };',
    breaks: "G-FEATURES-REREAD",
    scenario: "several targets",
  },
  {
    id: "reads FEATURES_OK back and goes on all the same",
    file: BRING_UP,
    find: "if ((status & STATUS.FEATURES_OK) === 0) return",
    replace: "if (status === 0) return",
    breaks: "G-FEATURES-REFUSED",
    scenario: "features refused once",
  },
  {
    id: "sets queues up before FEATURES_OK",
    file: BRING_UP,
    find: "transport.addStatus(STATUS.FEATURES_OK);",
    replace: `for (const queue of options.queues(state.wanted)) {
          this.setUpQueue(queue, state.wanted.negotiated);
        }
        transport.addStatus(STATUS.FEATURES_OK);`,
    breaks: "G-QUEUE-EARLY",
    scenario: "several targets",
  },
  {
    id: "writes actual before FEATURES_OK",
    file: BRING_UP,
    find: "transport.addStatus(STATUS.DRIVER);",
    replace:
      "transport.addStatus(STATUS.DRIVER); transport.writeConfig({ offset: 4, width: 4 }, 0);",
    breaks: "G-CONFIG-EARLY",
    scenario: "several targets",
  },
  {
    id: "notifies the statistics queue before DRIVER_OK",
    file: PLAN,
    find: "if (settings.notifiesEarly) device?.queues.publish(STATSQ);",
    replace: "device?.queues.publish(STATSQ);",
    breaks: "G-NOTIFY-EARLY",
    scenario: "several targets",
  },
  {
    id: "sets FAILED for a lying device and goes on with it",
    file: DEVICE_QUEUES,
    find: "if (result >= 0) return result;",
    replace: "if (result >= 0) return result; this.session.transport.addStatus(128); return 0;",
    breaks: "G-AFTER-FAILED",
    scenario: "a used id out of range",
  },
  {
    id: "overlooks DEVICE_NEEDS_RESET",
    file: DEVICE_CONFIG,
    find: 'if (status === 0 || (status & STATUS.DEVICE_NEEDS_RESET) !== 0) return "reset";',
    replace: "",
    breaks: "G-NEEDS-RESET",
    scenario: "a device that asks for a reset",
  },
  {
    id: "reads poison_val without looking at its feature",
    file: DEVICE_CONFIG,
    find: "const target = transport.readConfig(BALLOON_CONFIG.numPages);",
    replace: `transport.readConfig({ offset: 8, width: 4 });
    const target = transport.readConfig(BALLOON_CONFIG.numPages);`,
    breaks: "G-CONFIG-FEATURE",
    scenario: "targets, registers in memory",
  },
  {
    id: "spins on the status until a reset is over",
    file: BRING_UP,
    find: "const seen = this.transport.status();",
    replace: `let seen = this.transport.status();
    for (let i = 0; i < 6000 && polls === 0 && seen !== 0; i++) seen = this.transport.status();`,
    breaks: "Q-BUSY-POLL",
    scenario: "a reset that never ends",
  },
  {
    id: "waits for a reset without a bound",
    file: BRING_UP,
    find: "if (polls + 1 < RESET_POLLS_MAX) return",
    replace: "if (polls + 1 > 0) return",
    breaks: "B-RESET-BOUND",
    scenario: "a reset that never ends",
  },
  {
    id: "sets FAILED in the middle of a reset",
    file: BRING_UP,
    find: 'const resetting = during === "reset" || during === "await-reset";',
    replace: "const resetting = false;",
    breaks: "B-RESET-BOUND",
    scenario: "a reset that never ends",
  },
  {
    id: "gives a lying device up without FAILED",
    file: DRIVER,
    find: "giveUp(this.transport) ?? error",
    replace: "error",
    breaks: "B-FAILED-BIT",
    scenario: "a used id out of range",
  },
  {
    id: "restarts a device as often as it asks",
    file: DRIVER,
    find: "if (this.restartsInRow > RESTARTS_MAX) throw error;",
    replace: "",
    breaks: "B-RESTARTS",
    scenario: "resets without end",
  },
  {
    id: "holds every reset against a device for ever",
    file: DRIVER,
    find: "ranMs < RESTART_FORGIVEN_MS ? this.restartsInRow + 1 : 1",
    replace: "this.restartsInRow + 1",
    breaks: "B-RESTARTS-APART",
    scenario: "resets far apart",
  },
  {
    id: "stops without taking its pages back",
    file: DRIVER,
    find: `this.core.ledger_reclaim();
      this.turn = undefined;`,
    replace: "this.turn = undefined;",
    breaks: "B-STOP",
    scenario: "stop",
  },
  {
    id: "believes in its pages after a reset",
    file: PLAN,
    find: "core.ledger_reclaim();",
    replace: "",
    breaks: "Q-PFN-NOT-HELD",
    scenario: "a device that asks for a reset",
  },
];
