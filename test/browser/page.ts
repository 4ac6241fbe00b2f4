/**
 * What the browser test runs inside a page: the example VM on the reference machine.
 *
 * It must use nothing but what a page has. The page's title says how it ended.
 */
import { createMachine, type Machine } from "../../src/device/index.ts";
import { createWasmVm } from "../../src/embed/example/vm.ts";

const FRAMES = 4096;
const GUEST_FRAMES = 1000;
const TARGET = 2000;

async function play() {
  let machine: Machine | undefined;
  const vm = await createWasmVm({
    frames: FRAMES,
    guest: await WebAssembly.compileStreaming(fetch("guest.wasm")),
    machine: (memory) => {
      machine = createMachine({ memory, profile: "qemu" });
      return machine.hal;
    },
  });
  if (machine === undefined) throw new Error("no machine was made");
  const got = vm.guest.grow(GUEST_FRAMES, 3);
  const move = (pages: number) => {
    machine?.setTarget(pages);
    vm.balloon.interrupt();
    for (let turn = 0; turn < 10; turn++) {
      vm.balloon.step();
      machine?.run();
    }
    return machine?.actual;
  };
  const inflated = move(TARGET);
  const wrongWords = vm.guest.verify();
  const deflated = move(0);
  const verdicts = machine.check().length;
  return { got, inflated, deflated, wrongWords, verdicts };
}

play().then(
  (result) => {
    document.title = `done ${JSON.stringify(result)}`;
  },
  (error) => {
    document.title = `failed ${error}`;
  },
);
