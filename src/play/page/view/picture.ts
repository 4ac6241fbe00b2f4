/**
 * The picture of all frames: a cell a frame, row by row, in the colour of its state. It can be
 * zoomed until single frames are seen, and moved; a cell is picked with pointer or arrow keys.
 */
import type { Ledger } from "../machine/ledger.ts";
import { type Palette, readPalette } from "./cells.ts";
import { colour, onColours } from "./elements.ts";

const ZOOM_MAX = 32;
/** Cells this large, in pixels of the screen, get lines between them. */
const LINES_FROM = 7;
/** Wheel and buttons zoom by this. */
const ZOOM_STEP = 2;

export class Picture {
  /** Called with the frame that is pointed at; undefined: none. */
  onPick: (pfn: number | undefined) => void = () => {};
  private readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly cells = document.createElement("canvas");
  private readonly cellsContext: CanvasRenderingContext2D;
  private ledger: Ledger | undefined;
  private palette: Palette = readPalette();
  private columns = 1;
  private zoom = 1;
  /** The cell in the upper left corner. */
  private left = 0;
  private top = 0;
  private picked: number | undefined;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    // Written from memory at each picture: it is best kept there.
    const inMemory = { willReadFrequently: true };
    this.cellsContext = this.cells.getContext("2d", inMemory) as CanvasRenderingContext2D;
    this.context = canvas.getContext("2d", { alpha: false }) as CanvasRenderingContext2D;
    new ResizeObserver(() => this.draw()).observe(canvas);
    onColours(() => {
      this.palette = readPalette();
      this.draw();
    });
    this.listen();
  }

  /** Shows the frames of another guest. */
  show(ledger: Ledger): void {
    const columns = 2 ** Math.ceil(Math.log2(Math.sqrt(Math.max(1, ledger.frames))));
    if (columns !== this.columns) this.whole();
    this.ledger = ledger;
    this.columns = columns;
    this.cells.width = columns;
    this.cells.height = columns;
    this.picked = undefined;
    this.draw();
  }

  whole(): void {
    this.zoom = 1;
    this.left = 0;
    this.top = 0;
    this.draw();
  }

  zoomBy(factor: number, x = 0.5, y = 0.5): void {
    const before = this.seen;
    this.zoom = Math.min(ZOOM_MAX, Math.max(1, this.zoom * factor));
    this.left += (before - this.seen) * x;
    this.top += (before - this.seen) * y;
    this.stayInside();
    this.draw();
  }

  /** The colour of a frame's cell as it was drawn last, RGBA with red in the lowest byte. */
  pixelOf(pfn: number): number {
    const { columns } = this;
    const context = this.cellsContext;
    const [x, y] = [pfn % columns, Math.floor(pfn / columns)];
    return new Uint32Array(context.getImageData(x, y, 1, 1).data.buffer)[0] as number;
  }

  draw(): void {
    const { canvas, context, ledger } = this;
    const { clientWidth, clientHeight } = canvas;
    if (clientWidth === 0) return;
    const [width, height] = [clientWidth * devicePixelRatio, clientHeight * devicePixelRatio];
    if (canvas.width !== Math.round(width)) canvas.width = Math.round(width);
    if (canvas.height !== Math.round(height)) canvas.height = Math.round(height);
    context.fillStyle = colour("sunken");
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (ledger === undefined) {
      this.drawBooting();
      return;
    }
    this.paintCells(ledger);
    const cell = canvas.width / this.seen;
    context.imageSmoothingEnabled = cell < 1;
    const { left, top, seen } = this;
    context.drawImage(this.cells, left, top, seen, seen, 0, 0, canvas.width, canvas.height);
    if (cell >= LINES_FROM * devicePixelRatio) this.drawLines(cell);
    if (this.picked !== undefined) this.drawPicked(this.picked, cell);
  }

  private drawBooting(): void {
    const { context, canvas } = this;
    context.fillStyle = colour("soft");
    context.font = `${15 * devicePixelRatio}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.fillText("booting", canvas.width / 2, canvas.height / 2);
  }

  /** How many cells are seen in a row. */
  private get seen(): number {
    return this.columns / this.zoom;
  }

  private paintCells({ states, marks, frames }: Ledger): void {
    const context = this.cellsContext;
    const { palette, columns } = this;
    const image = context.createImageData(columns, columns);
    const pixels = new Uint32Array(image.data.buffer);
    for (let pfn = 0; pfn < frames; pfn += 1) {
      const mark = marks[pfn] as number;
      const state = states[pfn] as number;
      pixels[pfn] = (mark === 0 ? palette.states[state] : palette.marks[mark]) as number;
    }
    context.putImageData(image, 0, 0);
  }

  private drawLines(cell: number): void {
    const { context, canvas, left, top } = this;
    context.strokeStyle = colour("raised");
    context.lineWidth = 1;
    context.beginPath();
    for (let at = (Math.ceil(left) - left) * cell; at < canvas.width; at += cell) {
      context.moveTo(Math.round(at) + 0.5, 0);
      context.lineTo(Math.round(at) + 0.5, canvas.height);
    }
    for (let at = (Math.ceil(top) - top) * cell; at < canvas.height; at += cell) {
      context.moveTo(0, Math.round(at) + 0.5);
      context.lineTo(canvas.width, Math.round(at) + 0.5);
    }
    context.stroke();
  }

  private drawPicked(pfn: number, cell: number): void {
    const { context, columns, left, top } = this;
    const size = Math.max(cell, 8 * devicePixelRatio);
    const middle = (place: number, from: number) => (place + 0.5 - from) * cell - size / 2;
    const [x, y] = [middle(pfn % columns, left), middle(Math.floor(pfn / columns), top)];
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = colour("raised");
    context.strokeRect(x - 2 * devicePixelRatio, y - 2 * devicePixelRatio, size + 4, size + 4);
    context.strokeStyle = colour("ink");
    context.strokeRect(x, y, size, size);
  }

  private listen(): void {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.pick(undefined));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && this.zoom === 1 && event.deltaY > 0) return;
        event.preventDefault();
        const { width, height } = canvas.getBoundingClientRect();
        const [x, y] = [event.offsetX / width, event.offsetY / height];
        this.zoomBy(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, x, y);
      },
      { passive: false },
    );
  }

  private point(event: PointerEvent): void {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (event.buttons === 1) {
      this.left -= (event.movementX / width) * this.seen;
      this.top -= (event.movementY / height) * this.seen;
      this.stayInside();
    }
    const x = Math.floor(this.left + (event.offsetX / width) * this.seen);
    const y = Math.floor(this.top + (event.offsetY / height) * this.seen);
    this.pick(y * this.columns + x);
  }

  private key(event: KeyboardEvent): void {
    const { columns } = this;
    if (event.key === "+" || event.key === "-") {
      this.zoomBy(event.key === "+" ? ZOOM_STEP : 1 / ZOOM_STEP);
      return;
    }
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const pfn = this.picked === undefined ? 0 : this.picked + move;
    if (this.ledger === undefined || pfn < 0 || pfn >= this.ledger.frames) return;
    this.pick(pfn);
    this.follow(pfn);
  }

  private pick(pfn: number | undefined): void {
    const frames = this.ledger?.frames ?? 0;
    this.picked = pfn !== undefined && pfn < frames ? pfn : undefined;
    this.onPick(this.picked);
    this.draw();
  }

  /** Moves the view so that the frame is seen. */
  private follow(pfn: number): void {
    const { columns, seen } = this;
    const [x, y] = [pfn % columns, Math.floor(pfn / columns)];
    this.left = Math.min(x, Math.max(this.left, x + 1 - seen));
    this.top = Math.min(y, Math.max(this.top, y + 1 - seen));
    this.stayInside();
    this.draw();
  }

  private stayInside(): void {
    const most = this.columns - this.seen;
    this.left = Math.min(most, Math.max(0, this.left));
    this.top = Math.min(most, Math.max(0, this.top));
  }
}
