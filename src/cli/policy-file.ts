/** A policy in a file of the user's, for this process: bundled as for an image, and run apart. */
import { createContext, Script } from "node:vm";
import { ownPolicy, type Policy } from "../../runtime/abi.ts";
import { bundlePolicy } from "../image/program/bundle-policy.ts";

/** As in an image: DECIDE_MS and FIRST_MS of runtime/kernel/boot/policy.c. */
const DECIDE_MS = 100;
const FIRST_MS = 1000;

/**
 * Returns the policy that the file exports as its default. It has globals of its own, and throws
 * when it does not return in time. Rejects as `bundlePolicy` does.
 */
export async function policyOfFile(path: string): Promise<Policy> {
  const { name, script } = await bundlePolicy(path);
  const context = createContext({ view: "" }, { microtaskMode: "afterEvaluate" });
  const start = new Script(`decide = ${script}; undefined`, { filename: path });
  const decide = new Script("decide(view)");
  let isStarted = false;
  const policyDecide = (view: string): string => {
    if (!isStarted) start.runInContext(context, { timeout: FIRST_MS });
    isStarted = true;
    context.view = view;
    return String(decide.runInContext(context, { timeout: DECIDE_MS }));
  };
  return ownPolicy({ policyName: () => name, policyDecide }) as Policy;
}
