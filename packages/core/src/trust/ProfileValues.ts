// Decides: what is a date, a count and an object where a profile must have one.

/** Only the form that is written: `Date.parse` takes comments, too, and a `.proto` is made with the date in it. */
export const isMoment = (date: unknown): boolean =>
  typeof date === "string" && /^[\d:.TZ+-]+$/.test(date) && !Number.isNaN(Date.parse(date));

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

export const isObject = <T>(value: T | undefined): value is T & object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
