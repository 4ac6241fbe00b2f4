/** Numbers as the page writes them. */

/** Pages of 4 KiB as mebibytes, with as many digits as tell pages apart at a glance. */
export function mebibytes(pages: number): string {
  const value = pages / 256;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} MiB`;
}

export function bytes(count: number): string {
  return count < 2 ** 20
    ? `${Math.round(count / 1024)} KiB`
    : `${(count / 2 ** 20).toFixed(1)} MiB`;
}

export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

export function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
