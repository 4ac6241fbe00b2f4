/**
 * Bundles a policy of the user's to one script: a function from the text of a view to the text of a
 * decision. An image carries it (runtime/kernel/boot/policy.c), and `ballonet simulate` runs it.
 */
import { basename, extname } from "node:path";
import { bundleModules } from "./bundle-modules.ts";

/** A bundled policy. */
export interface BundledPolicy {
  /** The file's, without its ending: so the policy is called until it has decided. */
  readonly name: string;
  /** An expression, whose value is the function. */
  readonly script: string;
  /** The files that it is made of. */
  readonly inputs: readonly string[];
}

/** Policies may import what this package's policies are made of. */
const RUNTIME = {
  filter: /^ballonet(\/runtime)?$/,
  room: "runtime",
  file: "runtime.js",
  hasGlobals: false,
} as const;

const GLOBAL = "module";

/** JSON has no Infinity and no NaN: runtime/policy/own-policy.ts reads what stands for them. */
const DECIDE = `(view) => {
  const policy = ${GLOBAL}.default, decision = policy.decide(JSON.parse(view));
  return JSON.stringify({ name: policy.name, decision }, (_, value) =>
    typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : value);
}`;

/**
 * Bundles the policy that the module at `entry` exports as its default. Rejects with ImageError:
 * `package` where esbuild is not installed, `program` for a policy that cannot be bundled.
 */
export async function bundlePolicy(entry: string): Promise<BundledPolicy> {
  const { outputFiles, inputs } = await bundleModules({
    entry,
    start: (path) => `export { default } from ${JSON.stringify(path)};`,
    own: RUNTIME,
    options: { format: "iife", globalName: GLOBAL },
  });
  const script = `(() => {\n${outputFiles[0]?.text ?? ""}return ${DECIDE};\n})()`;
  const name = basename(entry, extname(entry)).replace(/\s+/g, " ");
  return { name, script, inputs };
}
