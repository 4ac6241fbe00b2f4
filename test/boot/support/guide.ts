/** Programs that stand in GUIDE.md. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageFolder } from "../../../src/package.ts";

/** Returns the program whose first line is `// NAME.ts`. Rejects when there is none. */
export async function programOfGuide(name: string): Promise<string> {
  const guide = await readFile(join(packageFolder(), "GUIDE.md"), "utf8");
  const code = guide.split("```ts\n").find((block) => block.startsWith(`// ${name}.ts\n`));
  if (code === undefined) throw new Error(`no program ${name} in GUIDE.md`);
  return code.split("```")[0] ?? "";
}
