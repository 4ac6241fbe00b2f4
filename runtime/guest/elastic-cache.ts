/**
 * A cache that is as large as the machine's memory allows: it shrinks when memory is wanted, grows
 * when memory is back, and is told of to the host, as caches that can go and as available memory.
 */
import { host } from "./host.ts";
import { memory, type Pressure } from "./memory.ts";

/** What an ElasticCache is made with. */
export interface ElasticCacheOptions<K, V> {
  /** It never weighs more than this. */
  readonly maxBytes: number;
  /**
   * Returns how many bytes go back when the entry goes. Default: the length of an ArrayBuffer, or
   * of the buffer of a view, two bytes for each character of a text, and 64 for anything else.
   */
  weigh?(value: V, key: K): number;
  /** Returns what it costs to have the value again, in any unit. Default: the same for all. */
  cost?(value: V, key: K): number;
  /** Called for each entry that goes for want of room or memory, before it goes. */
  onEvict?(value: V, key: K): void;
}

/** What an ElasticCache says of itself. */
export interface ElasticCacheCounts {
  readonly entries: number;
  readonly bytes: number;
  /** What it may weigh at present: at most `maxBytes`. */
  readonly limitBytes: number;
  /** Calls of `get` that found something, and that did not. */
  readonly hits: number;
  readonly misses: number;
  /** The part of the calls of `get` that found something, 0 to 1; 0 before the first. */
  readonly hitRate: number;
  /** Entries that went for want of room or memory. */
  readonly evicted: number;
}

interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
  /** What a byte of it is worth. */
  readonly worth: number;
}

/** Of so many of the oldest entries the one goes whose bytes are worth least. */
const OLDEST = 16;
/** After pressure a cache stays as small for so long, so that the balloon can have the memory. */
const CALM_MS = 250;
/** What growing leaves free to all others. */
const LEFT_BYTES = 4 * 1024 * 1024;
const SMALL_BYTES = 64;

/** What all caches weigh together, and what the driver was told of that. */
let offered = 0;
let told = 0;
/** The driver need not know of less. */
const TOLD_BYTES = 64 * 1024;

function offer(change: number): void {
  offered += change;
  if (Math.abs(offered - told) < TOLD_BYTES && offered !== 0) return;
  told = offered;
  host.offer(offered);
}

function weightOf(value: unknown): number {
  if (value instanceof ArrayBuffer) return value.byteLength;
  if (ArrayBuffer.isView(value)) return value.buffer.byteLength;
  return typeof value === "string" ? 2 * value.length : SMALL_BYTES;
}

/**
 * A cache from keys to values, with the methods of a Map. The longer nobody asked for an entry, and
 * the less its bytes are worth, the sooner it goes. To give memory back at once, values should lie
 * in buffers of `memory.allocate`, and nothing else should refer to them.
 */
export class ElasticCache<K, V> {
  private readonly options: ElasticCacheOptions<K, V>;
  /** The entry that was used last is the last. */
  private readonly entries = new Map<K, Entry<V>>();
  private readonly stop: () => void;
  private weight = 0;
  private limit: number;
  private pressedMs = Number.NEGATIVE_INFINITY;
  private hits = 0;
  private misses = 0;
  private evicted = 0;

  /** @throws RangeError when `maxBytes` is no number from 0 on. */
  constructor(options: ElasticCacheOptions<K, V>) {
    if (!(options.maxBytes >= 0)) throw new RangeError("ElasticCache: maxBytes, a number from 0");
    this.options = options;
    this.limit = options.maxBytes;
    this.stop = memory.onPressure((pressure) => this.give(pressure));
  }

  /** How many entries there are. */
  get size(): number {
    return this.entries.size;
  }

  /** Returns the value, or undefined, and counts which. */
  get(key: K): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) {
      this.misses += 1;
      return undefined;
    }
    this.hits += 1;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Returns whether there is such an entry. It is not counted as used. */
  has(key: K): boolean {
    return this.entries.has(key);
  }

  /** Adds or replaces an entry. Returns whether there is room for it. */
  set(key: K, value: V): boolean {
    const { weigh = weightOf, cost } = this.options;
    this.delete(key);
    const bytes = weigh(value, key);
    if (!(bytes >= 0)) throw new RangeError(`ElasticCache: a weight of ${bytes} bytes`);
    if (this.weight + bytes > this.limit) this.grow(bytes);
    while (this.weight + bytes > this.limit && this.evict());
    if (bytes > this.limit) return false;
    const worth = (cost?.(value, key) ?? 1) / Math.max(1, bytes);
    this.entries.set(key, { value, bytes, worth });
    this.weight += bytes;
    offer(bytes);
    return true;
  }

  /** Returns whether there was such an entry. */
  delete(key: K): boolean {
    const entry = this.entries.get(key);
    if (entry === undefined) return false;
    this.entries.delete(key);
    this.weight -= entry.bytes;
    offer(-entry.bytes);
    return true;
  }

  clear(): void {
    this.entries.clear();
    offer(-this.weight);
    this.weight = 0;
  }

  /** Empties it for good: it hears of no pressure any more. */
  close(): void {
    this.clear();
    this.stop();
  }

  /** Returns what it weighs, and how well it serves. */
  counts(): ElasticCacheCounts {
    const { hits, misses, evicted, entries, weight: bytes, limit: limitBytes } = this;
    const hitRate = hits === 0 ? 0 : hits / (hits + misses);
    return { entries: entries.size, bytes, limitBytes, hits, misses, hitRate, evicted };
  }

  /** Raises the limit by what is free, once nobody wants memory. */
  private grow(bytes: number): void {
    const { maxBytes } = this.options;
    if (this.limit >= maxBytes || host.now() < this.pressedMs + CALM_MS) return;
    const spare = memory.counts().free - LEFT_BYTES;
    if (spare >= bytes) this.limit = Math.min(maxBytes, this.weight + spare);
  }

  private give({ bytes }: Pressure): void {
    const goal = Math.max(0, this.weight - bytes);
    while (this.weight > goal && this.evict());
    this.limit = this.weight;
    this.pressedMs = host.now();
  }

  private evict(): boolean {
    let worst: readonly [K, Entry<V>] | undefined;
    let seen = 0;
    for (const pair of this.entries) {
      if (worst === undefined || pair[1].worth < worst[1].worth) worst = pair;
      if (++seen === OLDEST) break;
    }
    if (worst === undefined) return false;
    this.options.onEvict?.(worst[1].value, worst[0]);
    this.delete(worst[0]);
    this.evicted += 1;
    return true;
  }
}
