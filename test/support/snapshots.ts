/** What a stream of a machine says of its parts. */

interface Parts {
  readonly device: { readonly queues: readonly unknown[] };
}

/** The states of the parts in each of two streams. A queue that one machine lacks is left out. */
export function partsIn(...streams: readonly [Uint8Array, Uint8Array]): readonly [object, object] {
  const [one, other] = streams.map(read) as [Parts, Parts];
  const count = Math.min(one.device.queues.length, other.device.queues.length);
  return [withQueues(one, count), withQueues(other, count)];
}

function withQueues({ device, ...rest }: Parts, count: number): object {
  return { ...rest, device: { ...device, queues: device.queues.slice(0, count) } };
}

/** As src/device/stream.ts lays the text out. */
function read(stream: Uint8Array): Parts {
  const view = new DataView(stream.buffer, stream.byteOffset);
  const text = new TextDecoder().decode(stream.subarray(16, 16 + view.getUint32(12, true)));
  return (JSON.parse(text) as { parts: Parts }).parts;
}
