/**
 * The numbering rule against models of all three conventions, for the offered sets that occur.
 */
import { describe, expect, it } from "vitest";
import { numberQueues, withLowerQueueOwners } from "../../../runtime/balloon/queue-numbering.ts";
import { featureSet } from "../../../runtime/virtio/features.ts";

const ROLES = ["inflate", "deflate", "stats", "hint", "reporting"] as const;
const REPORTING = ROLES.indexOf("reporting");

type Role = (typeof ROLES)[number] | "foreign";
type Convention = "fixed" | "negotiated" | "offered";

const OWNED: readonly (readonly [number, Role])[] = [
  [1, "stats"],
  [3, "hint"],
  [5, "reporting"],
];

/** What a device of this convention serves at each index; undefined is a hole of size 0. */
function deviceQueues(
  convention: Convention,
  offered: readonly number[],
  accepted: readonly number[],
): (Role | undefined)[] {
  const roles: (Role | undefined)[] = ["inflate", "deflate"];
  if (convention === "fixed") {
    const highest = Math.max(...OWNED.map(([bit], at) => (offered.includes(bit) ? at + 3 : 2)));
    for (let at = 2; at < highest; at++) {
      const [bit, role] = OWNED[at - 2] as readonly [number, Role];
      roles.push(offered.includes(bit) ? role : undefined);
    }
    return roles;
  }
  const counted = convention === "offered" ? offered : accepted;
  for (const [bit, role] of OWNED) if (counted.includes(bit)) roles.push(role);
  // Two queues that belong to working set reporting, live whether it was accepted or not.
  if (offered.includes(8)) roles.push("foreign", "foreign");
  return roles;
}

/** The queues that were found, by role. */
function found(indices: readonly (number | undefined)[]): (readonly [Role, number])[] {
  return ROLES.flatMap((role, at) => {
    const index = indices[at];
    return index === undefined ? [] : [[role, index] as const];
  });
}

function number(convention: Convention, offered: readonly number[], accepted: readonly number[]) {
  const roles = deviceQueues(convention, offered, accepted);
  const asked: number[] = [];
  const queues = numberQueues({
    offered: featureSet(...offered, 32),
    negotiated: featureSet(...accepted, 32),
    numQueues: roles.length,
    maxSize: (index) => {
      asked.push(index);
      return roles[index] === undefined ? 0 : 128;
    },
  });
  return { roles, queues, asked };
}

const SETS = [[1], [1, 3], [1, 5], [5], [3, 5], [1, 3, 5], [1, 5, 8]];
const CONVENTIONS: Convention[] = ["fixed", "negotiated", "offered"];

describe("queue numbering", () => {
  for (const convention of CONVENTIONS) {
    for (const offered of SETS) {
      it(`finds every queue: ${convention}, offered {${offered.join(",")}}`, () => {
        const accepted = offered.filter((bit) => bit !== 8);
        const { roles, queues } = number(convention, offered, accepted);
        expect(found(queues).map(([role]) => role)).toEqual([
          "inflate",
          "deflate",
          ...OWNED.filter(([bit]) => accepted.includes(bit)).map(([, role]) => role),
        ]);
        for (const [role, index] of found(queues)) expect(roles[index]).toBe(role);
      });
    }
  }

  it("never takes a queue for another, whatever is accepted", () => {
    for (const convention of CONVENTIONS) {
      for (const offered of SETS) {
        for (let mask = 0; mask < 8; mask++) {
          const accepted = OWNED.filter(
            ([bit], at) => offered.includes(bit) && (mask & (1 << at)) !== 0,
          ).map(([bit]) => bit);
          const { roles, queues } = number(convention, offered, accepted);
          for (const [role, index] of found(queues)) {
            expect(roles[index], `${convention} ${offered} ${accepted}`).toBe(role);
          }
        }
      }
    }
  });

  it("leaves a queue out that the device does not have", () => {
    const queues = numberQueues({
      offered: featureSet(1),
      negotiated: featureSet(1),
      numQueues: 3,
      maxSize: () => 0,
    });
    expect(queues).toEqual([0, 1]);
  });

  it("leaves reporting out where the number of queues fits no convention", () => {
    const input = { offered: featureSet(1, 5), negotiated: featureSet(1, 5), maxSize: () => 64 };
    expect(numberQueues({ ...input, numQueues: 4 })[REPORTING]).toBe(3);
    expect(numberQueues({ ...input, numQueues: 5 })[REPORTING]).toBeUndefined();
    expect(numberQueues({ ...input, numQueues: 7 })[REPORTING]).toBeUndefined();
    expect(numberQueues({ ...input, numQueues: 3 })[REPORTING]).toBeUndefined();
  });

  it("tells the specification's numbers by their holes, however many queues there are", () => {
    const maxSize = (index: number) => (index === 3 ? 0 : 64);
    const input = { offered: featureSet(1, 5), negotiated: featureSet(1, 5), maxSize };
    expect(numberQueues({ ...input, numQueues: 5 })[REPORTING]).toBe(4);
    expect(numberQueues({ ...input, numQueues: 7 })[REPORTING]).toBe(4);
  });

  it("accepts the offered owners of lower queues, and only those", () => {
    const offered = featureSet(0, 1, 3, 4, 5, 8, 32);
    expect(withLowerQueueOwners(featureSet(5), offered)).toBe(featureSet(1, 3, 5));
    expect(withLowerQueueOwners(featureSet(3), offered)).toBe(featureSet(1, 3));
    expect(withLowerQueueOwners(featureSet(1), offered)).toBe(featureSet(1));
    expect(withLowerQueueOwners(featureSet(0), offered)).toBe(featureSet(0));
    expect(withLowerQueueOwners(featureSet(5), featureSet(5, 32))).toBe(featureSet(5));
  });
});
