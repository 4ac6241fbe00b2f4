/** The one saved state of this browser, in its own database: it outlives the page. */
import type { SavedMachine } from "./live-machine.ts";

const DATABASE = "ballonet-play";
const STORE = "states";
const KEY = "last";

/** Rejects where the browser keeps nothing, as in a private window. */
export async function keep(saved: SavedMachine): Promise<void> {
  await inStore("readwrite", (store) => store.put(saved, KEY));
}

/** Returns what was kept last; undefined: nothing. */
export async function kept(): Promise<SavedMachine | undefined> {
  return inStore("readonly", (store) => store.get(KEY));
}

async function inStore<T>(
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  try {
    const transaction = database.transaction(STORE, mode);
    const result = await done(act(transaction.objectStore(STORE)));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    return result;
  } finally {
    database.close();
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
