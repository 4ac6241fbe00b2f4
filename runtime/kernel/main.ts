/**
 * The guest program: what the boot code calls.
 *
 * It must not touch the machine while it is evaluated: that is done when the image is built.
 * Invariant: `boot` is called once, `wake` after every wait; each returns when to be woken next, in
 * milliseconds of the machine's clock.
 */
import { type Machine, theMachine } from "./machine.ts";

/** How long to sleep when nothing is to be done. */
const IDLE_MS = 60_000;

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

function configRead(machine: Machine, device: number, offset: number): number {
  machine.portWrite(CONFIG_ADDRESS, 4, (0x8000_0000 | (device << 11) | offset) >>> 0);
  return machine.portRead(CONFIG_DATA, 4);
}

export function boot(): number {
  const machine = theMachine();
  const say = (line: string): void => machine.serialWrite(1, `ballonet: ${line}\n`);
  say(`hello, command line "${machine.commandLine()}"`);
  for (const { base, size, kind } of machine.memoryMap()) {
    say(`memory 0x${base.toString(16)} + 0x${size.toString(16)} ${kind}`);
  }
  for (let device = 0; device < 32; device++) {
    const id = configRead(machine, device, 0);
    if (id === 0xffff_ffff) continue;
    say(`pci 00:${device.toString(16)} ${(id & 0xffff).toString(16)}:${(id >>> 16).toString(16)}`);
  }
  const { kernelBytes, engineBytes, engineFrames, poolFreeFrames } = machine.footprint();
  say(
    `kernel ${kernelBytes} engine ${engineBytes} (${engineFrames} frames) pool ${poolFreeFrames}`,
  );
  say(`ready after ${machine.now().toFixed(1)} ms`);
  return machine.now() + IDLE_MS;
}

export function wake(_lines: number): number {
  return theMachine().now() + IDLE_MS;
}
