/** Mistakes with devices that go away and come back, and in sleep. */
import type { Mutant } from "./mutant.ts";

const DRIVER = "runtime/balloon/driver.ts";
const DEVICE_CONFIG = "runtime/balloon/config.ts";
const LIFECYCLE = "runtime/balloon/lifecycle.ts";

const BUSY = "a device that is gone while all queues are busy";
const ANY_MOMENT = "a device that is gone at any moment";

export const lifecycleMutants: readonly Mutant[] = [
  {
    id: "leaves its pages with a device that is gone",
    file: DRIVER,
    find: `this.core.ledger_reclaim();
    this.transport = ABSENT_TRANSPORT;`,
    replace: "this.transport = ABSENT_TRANSPORT;",
    breaks: "B-GONE",
    scenario: BUSY,
  },
  {
    id: "takes a device that is gone for one that failed",
    file: DRIVER,
    find: 'if (error.code === "device-gone") {',
    replace: 'if (error.code === "config") {',
    breaks: "B-GONE",
    scenario: BUSY,
  },
  {
    id: "keeps asking a device that is gone",
    file: DRIVER,
    find: "this.transport = ABSENT_TRANSPORT;",
    replace: "",
    breaks: "B-GONE",
    scenario: BUSY,
  },
  {
    id: "believes a target that nobody answered",
    file: DEVICE_CONFIG,
    find: "const target = transport.readConfig(BALLOON_CONFIG.numPages);",
    replace: "",
    and: [
      {
        file: DEVICE_CONFIG,
        find: "return { target, command };",
        replace: "return { target: transport.readConfig(BALLOON_CONFIG.numPages), command };",
      },
    ],
    breaks: "B-GONE",
    scenario: ANY_MOMENT,
  },
  {
    id: "finds nobody to give up to and fails all the same",
    file: "runtime/virtio/bring-up.ts",
    find: "error: gone ?? error",
    replace: "error",
    breaks: "B-GONE",
    scenario: ANY_MOMENT,
  },
  {
    id: "knows the end of a device by ones alone",
    file: "runtime/virtio/pci/modern.ts",
    find: "return status === 0 && !isPresent(this.config, this.address) ? STATUS_GONE : status;",
    replace: "return status;",
    breaks: "B-GONE",
    scenario: "a device that is gone at any moment, and reads as zeros",
  },
  {
    id: "takes an empty MMIO slot for a device that was reset",
    file: "runtime/virtio/mmio/mmio.ts",
    find: "return isGone ? STATUS_GONE : status;",
    replace: "return status;",
    breaks: "B-GONE",
    scenario: "a device that is gone at any moment, MMIO that reads as zeros",
  },
  {
    id: "waits for another device and leaves it alone",
    file: DRIVER,
    find: `this.restartsInRow = 0;
    this.beginBringUp("attach");`,
    replace: "this.restartsInRow = 0;",
    breaks: "B-ATTACH",
    scenario: ANY_MOMENT,
  },
  {
    id: "overlooks that its device was reset by somebody else",
    file: DEVICE_CONFIG,
    find: "if (status === 0 || (status",
    replace: "if ((status",
    breaks: "B-EXCHANGED",
    scenario: "a device that was exchanged",
  },
  {
    id: "suspends without taking its pages back",
    file: DRIVER,
    find: `this.core.ledger_reclaim();
      this.turn = undefined;`,
    replace: "this.turn = undefined;",
    breaks: "B-SUSPEND",
    scenario: "suspend and resume",
  },
  {
    id: "tells every page before it suspends",
    file: DRIVER,
    find: "this.transport.tearDown();",
    replace: `{
      while (this.core.balloon_deflate(256) > 0) {
        this.turn?.queues.publish(1);
        this.turn?.queues.settlePages();
      }
      this.transport.tearDown();
    }`,
    breaks: "B-SUSPEND",
    scenario: "suspend and resume",
  },
  {
    id: "answers interrupts while it is suspended",
    file: DRIVER,
    find: 'if (this.state.name === "stopped" || this.state.name === "suspended") return false;',
    replace: "",
    breaks: "B-SUSPEND",
    scenario: "suspend and resume",
  },
  {
    id: "sleeps on when it is resumed",
    file: LIFECYCLE,
    find: 'return name === "suspended" || isSuspending ?',
    replace: "return isSuspending ?",
    breaks: "B-SUSPEND",
    scenario: "suspend and resume",
  },
];
