/**
 * Outputs that keep what was written, for tests of the command line.
 *
 * Nothing here touches the process's own outputs.
 */
import type { Io, Output } from "../../../src/cli/terminal.ts";

export interface KeptOutput extends Output {
  readonly text: string;
}

export function keptOutput({ isTerminal = false, columns = 80 } = {}): KeptOutput {
  let text = "";
  return {
    isTerminal,
    columns,
    write: (more) => {
      text += more;
    },
    get text() {
      return text;
    },
  };
}

export interface KeptIo extends Io {
  readonly out: KeptOutput;
  readonly err: KeptOutput;
}

export function keptIo(
  options: {
    isTerminal?: boolean;
    columns?: number;
    environment?: Io["environment"];
    signal?: AbortSignal;
  } = {},
): KeptIo {
  const { environment = {}, signal = new AbortController().signal, ...output } = options;
  return { out: keptOutput(output), err: keptOutput(output), environment, signal };
}
