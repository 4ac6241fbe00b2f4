/** A device behind a Unix socket: relay, server and the device that is served now. */
import type { Device, DeviceInterrupts } from "../../device/index.ts";
import { Relay } from "./relay.ts";
import { VfioUserServer } from "./server.ts";

/** Makes a device whose interrupts go to the client. */
export type MakeDevice = (interrupts: DeviceInterrupts) => Device;

/** What a socket is opened with. */
export interface DeviceSocketOptions {
  /** Where the socket is made, readable by its owner alone. */
  readonly path: string;
  readonly make: MakeDevice;
  /** Entries of the device's MSI-X table. */
  readonly vectors: number;
  readonly signal?: AbortSignal;
  /** Called once, when the client does not wait for its writes. */
  onPosted?(): void;
}

export class DeviceSocket {
  /** Accesses that were served so far. */
  accesses = 0;
  /** Why the client is served no more; undefined while it is. */
  ended: string | undefined;
  /** Whether a client has connected. */
  isConnected = false;
  private current: Device;
  private readonly server: VfioUserServer;
  private relay: Relay | undefined;

  private constructor(options: DeviceSocketOptions) {
    const { make, vectors } = options;
    this.current = this.made(make);
    this.server = new VfioUserServer({
      wire: {
        send: (bytes) => this.relay?.send(bytes),
        end: (reason) => void this.close(reason),
      },
      served: () => this.current,
      vectors,
      onAccess: () => {
        this.accesses += 1;
      },
      onPosted: () => options.onPosted?.(),
    });
  }

  /**
   * Waits for one client.
   *
   * @throws ImageError when the relay cannot be compiled; FailureError when it cannot listen.
   */
  static async open(options: DeviceSocketOptions): Promise<DeviceSocket> {
    const socket = new DeviceSocket(options);
    const listener = {
      onClient: () => {
        socket.isConnected = true;
      },
      onBytes: (bytes: Uint8Array) => socket.server.receive(bytes),
      onEnd: () => {
        socket.ended ??= "the client has gone";
      },
    };
    const { path, signal } = options;
    socket.relay = await Relay.listen({ path, listener, ...(signal && { signal }) });
    return socket;
  }

  /** The device that is served. */
  get device(): Device {
    return this.current;
  }

  /** Another device takes its place; the guest must not use it meanwhile. */
  renew(make: MakeDevice): void {
    this.current = this.made(make);
    this.server.lineChanged();
  }

  /** The guest runs from now on: accesses to configuration space are its own. */
  start(): void {
    this.server.guestRuns = true;
  }

  /** Ends the client's connection. */
  async close(reason = "closed"): Promise<void> {
    this.ended ??= reason;
    await this.relay?.end();
  }

  private made(make: MakeDevice): Device {
    let device: Device | undefined;
    // A device that was replaced may still have work planned: nobody listens to it. One that takes
    // over a state may have an interrupt up while it is made: whoever puts it in place looks.
    const isServed = () => device !== undefined && this.current === device;
    device = make({
      onLine: () => {
        if (isServed()) this.server.lineChanged();
      },
      onVector: (vector) => {
        if (isServed()) this.server.raise(vector);
      },
    });
    return device;
  }
}
