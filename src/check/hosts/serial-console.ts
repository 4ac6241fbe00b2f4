/** One serial port of a machine, as bytes, to the guest's log and its control channel. */
import { ControlClient, GuestLog } from "../../vmm/index.ts";
import { SharedSerial } from "../../vmm/shared-serial.ts";

/**
 * For a host whose guests have one serial port: what a host's `lines` and `control` are made of,
 * where `CheckHostSystem.control` is `com1`.
 */
export class SerialConsole {
  /** The guest's lines that are no replies. */
  readonly log = new GuestLog();
  readonly control: ControlClient;
  private readonly shared: SharedSerial;

  /** @param send sends bytes to the guest's serial port. */
  constructor(send: (bytes: Uint8Array) => void) {
    this.control = new ControlClient({ send, logTail: () => this.log.tail() });
    this.shared = new SharedSerial({
      onLog: (bytes) => this.log.push(bytes),
      onControl: (bytes) => this.control.receive(bytes),
    });
  }

  /** Bytes that the guest has written. */
  push(bytes: Uint8Array): void {
    this.shared.push(bytes);
  }

  /** The machine has ended: both channels end, and what waits for them rejects with `reason`. */
  close(reason: Error): void {
    this.shared.cut();
    this.log.close(reason);
    this.control.close(reason);
  }
}
