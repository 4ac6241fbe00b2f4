/**
 * Saves and puts back everything that a world can change: the objects that are reached from its
 * roots, in place, its WebAssembly memory and the globals of its module.
 *
 * Objects keep their identity, so closures over them stay right. What only a closure holds is not
 * saved: a world has to keep its state in fields. A state is kept as what differs from the first.
 */

type Fields = Record<string, unknown>;

/** What an object holds, by its kind. */
type Content =
  | { readonly kind: "fields"; readonly keys: readonly string[]; readonly values: unknown[] }
  | { readonly kind: "items"; readonly items: readonly unknown[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [unknown, unknown])[] }
  | { readonly kind: "set"; readonly members: readonly unknown[] }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

export interface Snapshot {
  readonly objects: ReadonlyMap<object, Content>;
  readonly words: ReadonlyMap<number, number>;
  readonly globals: readonly unknown[];
}

export interface SnapshotOptions {
  readonly roots: readonly object[];
  /** Objects that never change, or that are no part of the state: nothing behind them is saved. */
  readonly constant: readonly object[];
  readonly memory: WebAssembly.Memory;
  readonly globals: readonly WebAssembly.Global[];
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function contentOf(object: object): Content {
  if (ArrayBuffer.isView(object)) return { kind: "bytes", bytes: bytesOf(object).slice() };
  if (Array.isArray(object)) return { kind: "items", items: object.slice() };
  if (object instanceof Map) return { kind: "map", entries: [...object.entries()] };
  if (object instanceof Set) return { kind: "set", members: [...object] };
  const keys = Object.keys(object);
  return { kind: "fields", keys, values: keys.map((key) => (object as Fields)[key]) };
}

/** What an object leads to. */
function partsOf(content: Content): readonly unknown[] {
  switch (content.kind) {
    case "fields":
      return content.values;
    case "items":
      return content.items;
    case "set":
      return content.members;
    case "map":
      return content.entries.flat();
    case "bytes":
      return [];
  }
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let n = 0; n < a.length; n++) if (!Object.is(a[n], b[n])) return false;
  return true;
}

function sameContent(a: Content, b: Content): boolean {
  if (a.kind === "fields" && b.kind === "fields") {
    return sameItems(a.values, b.values) && sameItems(a.keys, b.keys);
  }
  if (a.kind === "bytes" && b.kind === "bytes") {
    return Buffer.compare(a.bytes, b.bytes) === 0;
  }
  return a.kind === b.kind && sameItems(partsOf(a), partsOf(b));
}

function putBack(object: object, content: Content): void {
  switch (content.kind) {
    case "items":
      (object as unknown[]).splice(0, Number.POSITIVE_INFINITY, ...content.items);
      return;
    case "bytes":
      bytesOf(object as ArrayBufferView).set(content.bytes);
      return;
    case "map":
      (object as Map<unknown, unknown>).clear();
      for (const [key, value] of content.entries) (object as Map<unknown, unknown>).set(key, value);
      return;
    case "set":
      (object as Set<unknown>).clear();
      for (const member of content.members) (object as Set<unknown>).add(member);
      return;
    case "fields": {
      const fields = object as Fields;
      const { keys, values } = content;
      keys.forEach((key, n) => {
        if (!Object.is(fields[key], values[n])) fields[key] = values[n];
      });
      const now = Object.keys(fields);
      if (now.length === keys.length) return;
      for (const key of now) if (!keys.includes(key)) delete fields[key];
    }
  }
}

export class Snapshots {
  private readonly options: SnapshotOptions;
  private readonly constant: ReadonlySet<object>;
  private readonly firstWords: Int32Array;
  private readonly firstObjects: ReadonlyMap<object, Content>;

  constructor(options: SnapshotOptions) {
    this.options = options;
    this.constant = new Set(options.constant);
    this.firstWords = this.words.slice();
    this.firstObjects = this.walk();
  }

  private get words(): Int32Array {
    return new Int32Array(this.options.memory.buffer);
  }

  /** Every object within reach, with its content. */
  private walk(): Map<object, Content> {
    const found = new Map<object, Content>();
    const open: unknown[] = [...this.options.roots];
    for (let value = open.pop(); open.length > 0 || value !== undefined; value = open.pop()) {
      if (typeof value !== "object" || value === null || found.has(value)) continue;
      if (this.constant.has(value)) continue;
      // Views of the world's memory are saved with it.
      if (ArrayBuffer.isView(value) && value.buffer === this.options.memory.buffer) continue;
      const content = contentOf(value);
      found.set(value, content);
      for (const part of partsOf(content)) {
        if (typeof part === "object" && part !== null) open.push(part);
      }
    }
    return found;
  }

  save(): Snapshot {
    const objects = new Map<object, Content>();
    for (const [object, content] of this.walk()) {
      const first = this.firstObjects.get(object);
      if (first === undefined || !sameContent(first, content)) objects.set(object, content);
    }
    const words = new Map<number, number>();
    const now = this.words;
    for (let n = 0; n < now.length; n++) {
      if (now[n] !== this.firstWords[n]) words.set(n, now[n] as number);
    }
    return { objects, words, globals: this.options.globals.map(({ value }) => value) };
  }

  load({ objects, words, globals }: Snapshot): void {
    for (const [object, content] of this.firstObjects) {
      if (!objects.has(object)) putBack(object, content);
    }
    for (const [object, content] of objects) putBack(object, content);
    const memory = this.words;
    memory.set(this.firstWords);
    for (const [n, word] of words) memory[n] = word;
    globals.forEach((value, n) => {
      const global = this.options.globals[n];
      if (global !== undefined) global.value = value;
    });
  }
}
