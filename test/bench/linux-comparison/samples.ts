/**
 * Everything that was measured: values by guest, memory and figure, and what each figure means.
 *
 * A value that is not a number is never kept; what was not measured is absent.
 */
import { type Figures, figures } from "../measure.ts";

interface FigureKind {
  readonly title: string;
  readonly unit: string;
  /** What to divide by before it is shown, and how many digits then. */
  readonly scale: number;
  readonly digits: number;
}

const RATE = { unit: "k pages/s", scale: 1000, digits: 0 };
const PER_GIB = { unit: "per GiB", scale: 1, digits: 1 };
const CPU = { unit: "s/GiB", scale: 1, digits: 3 };
const MIB = { unit: "MiB", scale: 1, digits: 1 };
const PERCENT = { unit: "%", scale: 0.01, digits: 0 };
const MS = { unit: "ms", scale: 1, digits: 0 };
const INSTRUCTIONS = { unit: "instructions", scale: 1, digits: 1 };

/** Every figure there is, in the order in which it is shown. */
export const FIGURES = {
  readyMs: { title: "QEMU started to driver ready", ...MS },
  inflate: { title: "inflate, memory populated", ...RATE },
  again: { title: "inflate again, memory given back already", ...RATE },
  deflate: { title: "deflate", ...RATE },
  inflateSmall: { title: "a call for each page of populated small pages", ...RATE },
  blocks: { title: "a call for each populated 2 MiB", ...RATE },
  ranges: { title: "a call for each populated 4 MiB", ...RATE },
  huge: { title: "share of the guest's memory in huge pages, before", ...PERCENT },
  fallMs: { title: "resident set down by 90 % of the request", ...MS },
  inflateMs: { title: "inflate, memory populated, all of the request", ...MS },
  inflateKicks: { title: "inflate: notifications", ...PER_GIB },
  inflateInterrupts: { title: "inflate: interrupts", ...PER_GIB },
  inflateConfigWrites: { title: "inflate: config writes", ...PER_GIB },
  inflateConfigReads: { title: "inflate: config reads", ...PER_GIB },
  deflateKicks: { title: "deflate: notifications", ...PER_GIB },
  deflateInterrupts: { title: "deflate: interrupts", ...PER_GIB },
  deflateConfigWrites: { title: "deflate: config writes", ...PER_GIB },
  deflateConfigReads: { title: "deflate: config reads", ...PER_GIB },
  inflateInstructions: { title: "inflate: guest instructions a page", ...INSTRUCTIONS },
  deflateInstructions: { title: "deflate: guest instructions a page", ...INSTRUCTIONS },
  inflateCpu: { title: "inflate: processor time of QEMU", ...CPU },
  againCpu: { title: "inflate again: processor time of QEMU", ...CPU },
  deflateCpu: { title: "deflate: processor time of QEMU", ...CPU },
  kept: { title: "least memory kept", ...MIB },
  resident: { title: "QEMU's resident set there", ...MIB },
  sparseInflate: { title: "inflate, memory never touched", ...RATE },
  sparseDeflate: { title: "deflate, memory never touched", ...RATE },
  imageBytes: { title: "image", unit: "MB", scale: 1e6, digits: 2 },
} as const satisfies Record<string, FigureKind>;

export type FigureName = keyof typeof FIGURES;
export type Values = Partial<Record<FigureName, number>>;

export interface Sample {
  readonly guest: string;
  /** Of the machine; undefined where it does not matter. */
  readonly memoryBytes: number | undefined;
  readonly figure: FigureName;
  readonly values: number[];
}

export class Samples {
  readonly all: Sample[] = [];

  add(guest: string, memoryBytes: number | undefined, values: Values): void {
    for (const [name, value] of Object.entries(values)) {
      if (!Number.isFinite(value)) continue;
      const figure = name as FigureName;
      const known = this.find(guest, memoryBytes, figure);
      if (known !== undefined) known.values.push(value);
      else this.all.push({ guest, memoryBytes, figure, values: [value] });
    }
  }

  private find(guest: string, memoryBytes: number | undefined, figure: FigureName) {
    return this.all.find(
      (sample) =>
        sample.guest === guest && sample.memoryBytes === memoryBytes && sample.figure === figure,
    );
  }

  /**
   * Median, least and most at this size or, where size does not matter, at all; undefined where
   * nothing was measured.
   */
  get(guest: string, memoryBytes: number | undefined, figure: FigureName): Figures | undefined {
    const sample = this.find(guest, memoryBytes, figure) ?? this.find(guest, undefined, figure);
    return sample && figures(FIGURES[figure].title, sample.values);
  }
}
