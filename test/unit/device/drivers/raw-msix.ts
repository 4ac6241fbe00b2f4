/**
 * MSI-X as the raw driver uses it, step by step (PCI 3.0, 6.8.2).
 *
 * `setUp` and `map` break no rule.
 */
import type { RawDriver } from "./raw-driver.ts";

const ENABLE = 0x8000;
const MASK_ALL = 0x4000;

export class RawMsix {
  /** Where the capability stands. */
  readonly at: number;
  /** Guest physical address of the table. */
  readonly table: number;
  readonly pending: number;
  private readonly driver: RawDriver;

  /** The driver has discovered its device. */
  constructor(driver: RawDriver) {
    this.driver = driver;
    let at = driver.configRead(0x34, 1);
    while (at !== 0 && driver.configRead(at, 1) !== 0x11) at = driver.configRead(at + 1, 1);
    if (at === 0) throw new Error("no MSI-X");
    this.at = at;
    this.table = this.place(at + 4);
    this.pending = this.place(at + 8);
  }

  get vectors(): number {
    return (this.driver.configRead(this.at + 2, 2) & 0x7ff) + 1;
  }

  control(value: number): void {
    this.driver.configWrite(this.at + 2, 2, value);
    this.driver.movesConfig((value & ENABLE) !== 0);
  }

  enable(): void {
    this.control(ENABLE);
  }

  disable(): void {
    this.control(0);
  }

  mask(): void {
    this.control(ENABLE | MASK_ALL);
  }

  /** Word 0 or 1: address, 2: data, 3: vector control. */
  write(vector: number, word: number, value: number): void {
    this.driver.machine.hal.mmioWrite(this.table + vector * 16 + word * 4, 4, value);
  }

  read(vector: number, word: number): number {
    return this.driver.machine.hal.mmioRead(this.table + vector * 16 + word * 4, 4);
  }

  fill(vector: number, { address, data }: { address: number; data: number }): void {
    this.write(vector, 0, address % 2 ** 32);
    this.write(vector, 1, Math.floor(address / 2 ** 32));
    this.write(vector, 2, data);
  }

  unmask(vector: number): void {
    this.write(vector, 3, 0);
  }

  /** Enables MSI-X with so many messages of the machine's, all unmasked. */
  setUp(count: number): void {
    const messages = this.driver.machine.hal.interrupts?.allocate(count) ?? [];
    this.mask();
    for (const [vector, message] of messages.entries()) {
      this.fill(vector, message);
      this.unmask(vector);
    }
    this.enable();
  }

  /** Gives the configuration, or a queue, a vector. Returns what the register reads then. */
  map(event: number | "config", vector: number): number {
    const { driver } = this;
    const field = event === "config" ? "configVector" : "queueVector";
    if (event !== "config") driver.set("queueSelect", event);
    driver.set(field, vector);
    return driver.get(field);
  }

  private place(at: number): number {
    const word = this.driver.configRead(at);
    return this.driver.configRead(0x10 + (word & 7) * 4) + (word - (word & 7));
  }
}
