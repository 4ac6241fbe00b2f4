/** Queue numbers: every row of numbering.ts. */
import { describe, it } from "vitest";
import { numberings, useEveryQueue } from "./checks/numbering.ts";

describe("queue numbers", () => {
  it.each(numberings)("{$set} and $strange strange ones, $convention, $rings rings", useEveryQueue);
});
