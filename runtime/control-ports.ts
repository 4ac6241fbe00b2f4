/** The serial ports that can carry the control channel. */
export const CONTROL_PORTS = ["com1", "com2"] as const;

/** The serial port of the control channel; COM1 carries the log, too. */
export type ControlPort = (typeof CONTROL_PORTS)[number];
