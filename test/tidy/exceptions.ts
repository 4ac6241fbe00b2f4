/**
 * What breaks a rule today: these lists only become shorter. An entry is the beginning of a
 * message, up to its colon.
 */

type Rule =
  | "runtime entries"
  | "floors"
  | "circles of files"
  | "circles of folders"
  | "functions"
  | "public docs";

const EXCEPTIONS: Readonly<Record<Rule, readonly string[]>> = {
  "runtime entries": [],
  floors: [],
  "circles of files": [
    "runtime/kernel/boot/clock.c -> runtime/kernel/boot/trap.c",
    "runtime/kernel/boot/engine.c -> runtime/kernel/boot/clock.c",
    "runtime/kernel/boot/engine.c -> runtime/kernel/boot/loader.c",
    "runtime/kernel/boot/engine.c -> runtime/kernel/boot/memory.c",
    "runtime/kernel/boot/engine.c -> runtime/kernel/boot/panic.c",
    "runtime/kernel/boot/loader.c -> runtime/kernel/boot/panic.c",
    "runtime/kernel/boot/memory.c -> runtime/kernel/boot/engine.c",
    "runtime/kernel/boot/memory.c -> runtime/kernel/boot/loader.c",
    "runtime/kernel/boot/memory.c -> runtime/kernel/boot/panic.c",
    "runtime/kernel/boot/panic.c -> runtime/kernel/boot/engine.c",
    "runtime/kernel/boot/trap.c -> runtime/kernel/boot/engine.c",
    "runtime/kernel/boot/trap.c -> runtime/kernel/boot/memory.c",
    "runtime/kernel/boot/trap.c -> runtime/kernel/boot/panic.c",
  ],
  "circles of folders": ["runtime/balloon", "runtime/policy"],
  functions: [
    "runtime/kernel/control-methods.ts controlMethods",
    "src/image/build-image.ts buildImage",
  ],
  "public docs": [
    "runtime/virtio/bring-up.ts BringUpOptions",
    "runtime/virtio/transport.ts Transport",
    "src/device/machine.ts Machine",
    "src/image/build-image.ts BuildImageOptions",
    "src/image/build-image.ts BuildProgress",
    "src/image/build-image.ts BuiltImage",
    "src/vmm/control.ts ControlClient",
    "src/vmm/json.ts JsonObject",
    "src/vmm/json.ts JsonValue",
    "src/vmm/log.ts GuestLog",
    "src/vmm/log.ts LogLine",
    "src/vmm/qemu/arguments.ts QemuArch",
    "src/vmm/qemu/arguments.ts QemuMachineOptions",
    "src/vmm/qemu/balloon.ts QemuBalloon",
    "src/vmm/qemu/hotplug.ts PlugOptions",
    "src/vmm/qemu/migration.ts MigrateOptions",
    "src/vmm/qemu/qemu.ts LaunchQemuOptions",
    "src/vmm/qemu/qmp.ts QmpClient",
    "src/vmm/qemu/qmp.ts QmpEvent",
    "src/vmm/qemu/qmp.ts QmpVersion",
    "src/vmm/v86/balloon.ts V86Balloon",
    "src/vmm/v86/v86.ts LaunchV86Options",
    "src/vmm/vmm.ts Balloon",
    "src/vmm/vmm.ts BalloonState",
    "src/vmm/vmm.ts BalloonStatistics",
    "src/vmm/vmm.ts PAGE_BYTES",
  ],
};

/** What is wrong and no exception; prints the exceptions that nothing needs any more. */
export function exceptTodays(rule: Rule, wrong: readonly string[]): string[] {
  const isFor = (entry: string) => (line: string) => line.startsWith(`${entry}:`);
  for (const entry of EXCEPTIONS[rule].filter((it) => !wrong.some(isFor(it)))) {
    console.log(`test/tidy/exceptions.ts: "${entry}" is needed no longer, delete it`);
  }
  return wrong.filter((line) => !EXCEPTIONS[rule].some((entry) => isFor(entry)(line)));
}
