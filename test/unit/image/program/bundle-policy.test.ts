/** How a policy of the user's is bundled: what its script does, and what is refused. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { afterEach, expect, it } from "vitest";
import { bundlePolicy } from "../../../../src/image/program/bundle-policy.ts";

let folder = "";
afterEach(() => rm(folder, { recursive: true, force: true }));

async function bundled(text: string) {
  folder = await mkdtemp(join(tmpdir(), "bundle-policy-"));
  await writeFile(join(folder, "my policy.ts"), text);
  return bundlePolicy(join(folder, "my policy.ts"));
}

it("is a function of texts, with what it takes of this package and no more", async () => {
  const { name, script, inputs } = await bundled(`
    import { type Policy, spendablePages } from "ballonet";
    const policy: Policy = {
      name: "all",
      decide: (view) => ({
        goalPages: spendablePages(view), atMostPages: Infinity, short: undefined, lookAgainMs: NaN,
      }),
    };
    export default policy;`);
  expect(name).toBe("my policy");
  expect(script.length).toBeLessThan(2000);
  expect(inputs).toContain(join(folder, "my policy.ts"));
  const decide = runInNewContext(script) as (view: string) => string;
  expect(JSON.parse(decide('{"freePages":300,"reservePages":256}'))).toEqual({
    name: "all",
    decision: {
      goalPages: 44,
      atMostPages: { number: "Infinity" },
      lookAgainMs: { number: "NaN" },
    },
  });
});

it.each([
  ["export const policy = {};", /"default"/],
  ['import "node:fs"; export default {};', /"node:fs" in .*my policy\.ts is a module of Node/],
])("is refused: %s", async (text, seen) => {
  const refusal = { code: "program", seen: expect.stringMatching(seen) };
  await expect(bundled(text)).rejects.toMatchObject(refusal);
});
