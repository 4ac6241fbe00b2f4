/** Images that are refused before they run. */
import { expect, test } from "vitest";
import { readMultiboot } from "../../../../src/vmm/qemu/multiboot.ts";
import { tinyGuest } from "../../../boot/support/tiny-guest.ts";

const MIB = 1024 * 1024;

test("an image is checked before v86 would run it into the void", () => {
  const good = tinyGuest();
  const read = (image: Uint8Array, memoryBytes = 32 * MIB) =>
    readMultiboot({ image, name: "x", memoryBytes });
  expect(read(good)).toEqual([
    { physicalAddress: MIB, fileBytes: good.length, memoryBytes: good.length + 64 },
  ]);
  const broken = (at: number, value: number): Uint8Array => {
    const image = tinyGuest();
    image[at] = value;
    return image;
  };
  for (const [image, why] of [
    [new Uint8Array(0), /Multiboot/],
    [broken(84, 0), /Multiboot/],
    [broken(4, 2), /ELF32/],
    [broken(44, 255), /header table/],
    [good.subarray(0, good.length - 1), /segment/],
  ] as const) {
    expect(() => read(image)).toThrow(why);
  }
  expect(() => read(good, MIB)).toThrow(/more memory/);
});
