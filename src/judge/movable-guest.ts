/** What guests have in common: their device, which another host's may take the place of. */
import type { Device } from "../device/index.ts";
import type { JudgedDevice, ScenarioDevice } from "./platform.ts";

/** A device whose state another one can take over. */
type SavedDevice = JudgedDevice & Pick<Device, "save">;

/** Puts a device that takes over this state in the place of the present one. */
export type RenewDevice<D extends SavedDevice = Device> = (
  own: ScenarioDevice,
  incoming: Uint8Array,
) => D;

export class MovableGuest<D extends SavedDevice = Device> {
  readonly left: D[] = [];
  device: D;
  private readonly renew: RenewDevice<D>;

  constructor(device: D, renew: RenewDevice<D>) {
    this.device = device;
    this.renew = renew;
  }

  async move(own: ScenarioDevice): Promise<void> {
    const { device } = this;
    this.device = this.renew(own, device.save({ memory: false }));
    this.left.push(device);
  }
}
