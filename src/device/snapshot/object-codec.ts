/**
 * Values as text and back, with everything that JSON leaves out: maps, sets, bytes, large integers,
 * what is undefined, and which of them are one and the same.
 *
 * It must not know what the values are. Invariant: what was one object is one object again, and an
 * object that is somebody's own is a name, never a copy.
 */

/** Objects that are not copied: each has a name on both sides. */
export interface Names {
  nameOf(object: object): string | undefined;
  named(name: string): object | undefined;
}

/** Classes whose objects are copied as they are: the object's own fields and nothing else. */
type ValueClasses = Readonly<Record<string, new () => object>>;

/** As it goes into JSON: itself, or an array of a tag and what it takes. */
type Coded = string | number | boolean | null | readonly unknown[];

/** What an object is made of: its kind, and its parts in order. */
type Node = readonly [kind: string, ...parts: Coded[]];

export class GraphWriter {
  private readonly names: Names;
  private readonly classes: ValueClasses;
  private readonly nodes: Node[] = [];
  private readonly places = new Map<object, number>();

  constructor(names: Names, classes: ValueClasses) {
    this.names = names;
    this.classes = classes;
  }

  /** All objects that were met, for the reader. */
  get objects(): readonly Node[] {
    return this.nodes;
  }

  write(value: unknown): Coded {
    if (value === undefined) return ["undefined"];
    if (typeof value === "bigint") return ["bigint", value.toString()];
    if (typeof value === "number" && !Number.isFinite(value)) return ["number", String(value)];
    if (typeof value === "function") throw new Error("graph: a function cannot be written");
    if (typeof value !== "object" || value === null) return value as Coded;
    const name = this.names.nameOf(value);
    return name === undefined ? ["object", this.place(value)] : ["named", name];
  }

  private place(object: object): number {
    const known = this.places.get(object);
    if (known !== undefined) return known;
    const at = this.nodes.length;
    this.places.set(object, at);
    this.nodes.push(["array"]);
    this.nodes[at] = this.node(object);
    return at;
  }

  private node(object: object): Node {
    if (object instanceof Uint8Array) return ["bytes", ...object];
    if (object instanceof Uint32Array) return ["words", ...object];
    if (Array.isArray(object)) {
      return ["array", ...Array.from(object, (one) => this.write(one))];
    }
    if (object instanceof Set) return ["set", ...[...object].map((one) => this.write(one))];
    if (object instanceof Map) {
      return ["map", ...[...object].flat().map((one) => this.write(one))];
    }
    const fields = Object.entries(object).flatMap(([key, value]) => [key, this.write(value)]);
    const made = Object.getPrototypeOf(object)?.constructor;
    if (made === Object) return ["plain", ...fields];
    const kind = Object.keys(this.classes).find((name) => this.classes[name] === made);
    if (kind === undefined) throw new Error(`graph: a ${made?.name} has no name and is no value`);
    return [`class ${kind}`, ...fields];
  }
}

export class GraphReader {
  private readonly names: Names;
  private readonly classes: ValueClasses;
  private readonly nodes: readonly Node[];
  private readonly made = new Map<number, object>();

  constructor(names: Names, classes: ValueClasses, objects: readonly Node[]) {
    this.names = names;
    this.classes = classes;
    this.nodes = objects;
  }

  read(coded: unknown): unknown {
    if (!Array.isArray(coded)) return coded;
    const [tag, what] = coded as [string, never];
    switch (tag) {
      case "undefined":
        return undefined;
      case "bigint":
        return BigInt(what);
      case "number":
        return Number(what);
      case "object":
        return this.object(what);
      case "named":
        return this.names.named(what);
      default:
        throw new Error(`graph: unknown tag "${tag}"`);
    }
  }

  private object(at: number): object {
    const known = this.made.get(at);
    if (known !== undefined) return known;
    const node = this.nodes[at];
    if (node === undefined) throw new Error(`graph: there is no object ${at}`);
    const [kind, ...parts] = node;
    const object = this.empty(kind, parts);
    this.made.set(at, object);
    this.fill(object, parts);
    return object;
  }

  private empty(kind: string, parts: readonly Coded[]): object {
    switch (kind) {
      case "bytes":
        return Uint8Array.from(parts as number[]);
      case "words":
        return Uint32Array.from(parts as number[]);
      case "array":
        return [];
      case "set":
        return new Set();
      case "map":
        return new Map();
      case "plain":
        return {};
    }
    const Made = this.classes[kind.slice("class ".length)];
    if (Made === undefined) throw new Error(`graph: unknown kind "${kind}"`);
    return new Made();
  }

  private fill(object: object, parts: readonly Coded[]): void {
    if (object instanceof Uint8Array || object instanceof Uint32Array) return;
    if (Array.isArray(object)) {
      for (const part of parts) object.push(this.read(part));
      return;
    }
    if (object instanceof Set) {
      for (const part of parts) if (!this.isNobody(part)) object.add(this.read(part));
      return;
    }
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const value = this.read(parts[i + 1]);
      if (!(object instanceof Map)) define(object, parts[i] as string, value);
      else if (!this.isNobody(parts[i])) object.set(this.read(parts[i]), value);
    }
  }

  /** Somebody of the other side who is not here: what was noted of them is forgotten. */
  private isNobody(coded: unknown): boolean {
    const [tag, name] = Array.isArray(coded) ? (coded as [string, string]) : [];
    return tag === "named" && this.names.named(name ?? "") === undefined;
  }
}

/** A field of the object's own, whatever it is called. */
function define(object: object, key: string, value: unknown): void {
  const how = { writable: true, enumerable: true, configurable: true };
  Object.defineProperty(object, key, { value, ...how });
}
