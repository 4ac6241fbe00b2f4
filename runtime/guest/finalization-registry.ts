/**
 * `FinalizationRegistry` for programs in a guest.
 *
 * The engine's own may call a function that is gone, where a registry is garbage together with what
 * was registered. So one of the engine's, which never is, serves all registries of a program. It
 * reaches them weakly: what a registry calls goes with it.
 */

interface Held {
  readonly registry: WeakRef<GuestFinalizationRegistry<unknown>>;
  readonly value: unknown;
}

export class GuestFinalizationRegistry<T> {
  static readonly #all = new FinalizationRegistry<Held>(({ registry, value }) => {
    const live = registry.deref();
    if (live === undefined) return;
    const cleanUp = live.#cleanUp;
    cleanUp(value);
  });
  readonly #cleanUp: (value: T) => void;
  /** What the engine's gets for each token: another registry may have the same. */
  readonly #tokens = new WeakMap<WeakKey, object>();

  constructor(cleanUp: (value: T) => void) {
    if (typeof cleanUp !== "function") throw new TypeError("FinalizationRegistry: a function");
    this.#cleanUp = cleanUp;
  }

  get [Symbol.toStringTag](): string {
    return "FinalizationRegistry";
  }

  register(target: WeakKey, value: T, token?: WeakKey): void {
    if (Object.is(target, value)) throw new TypeError("register: a value that is not the target");
    const registry = new WeakRef<GuestFinalizationRegistry<unknown>>(
      this as GuestFinalizationRegistry<unknown>,
    );
    const own = token === undefined ? undefined : this.#tokenOf(token);
    GuestFinalizationRegistry.#all.register(target, { registry, value }, own);
  }

  unregister(token: WeakKey): boolean {
    return GuestFinalizationRegistry.#all.unregister(this.#tokenOf(token));
  }

  #tokenOf(token: WeakKey): object {
    const known = this.#tokens.get(token);
    if (known !== undefined) return known;
    const made = {};
    this.#tokens.set(token, made);
    return made;
  }
}
