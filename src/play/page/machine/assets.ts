/** The files that a machine is made of: v86's module and the guest's image, fetched once. */

interface Assets {
  readonly engine: WebAssembly.Module;
  readonly image: Uint8Array;
}

let fetched: Promise<Assets> | undefined;

/** Rejects, each time anew, while a file cannot be had. */
export function assets(): Promise<Assets> {
  fetched ??= fetchAll().catch((error: unknown) => {
    fetched = undefined;
    throw error;
  });
  return fetched;
}

async function fetchAll(): Promise<Assets> {
  const [engine, image] = await Promise.all([
    // Servers of static files do not all know the type that streaming asks for.
    bytesOf("v86.wasm").then((bytes) => WebAssembly.compile(bytes)),
    bytesOf("guest.elf"),
  ]);
  return { engine, image: new Uint8Array(image) };
}

async function bytesOf(name: string): Promise<ArrayBuffer> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: the server says ${response.status}`);
  return response.arrayBuffer();
}
