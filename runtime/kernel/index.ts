/** ballonet/kernel: what a program in an image is made of, for that program. Public names only. */
export { Guest } from "./guest.ts";
export { type Footprint, type Machine, type MemoryRegion, theMachine } from "./machine.ts";
