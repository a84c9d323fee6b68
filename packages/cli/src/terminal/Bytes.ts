// Numbers of bytes for people.

const units = ["B", "kB", "MB", "GB"] as const;

/** `812 B`, `1.2 kB`, `64 MB`: decimal units, at most three digits. */
export const sayBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
};
