// Decides: which part of an answer a Range asks for, and whether stored bytes hold it (RFC 9110, 14; RFC 9111, 3.3).

/** One range as asked for, in bytes; `last` undefined: to the end. A suffix counts from the end. */
export type ByteRange =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffixLength: number };

/** The part of a representation that stored bytes are. */
export interface StoredPart {
  /** Position of the first stored byte. */
  readonly first: number;
  /** Length of the whole, undefined where the origin did not tell. */
  readonly total: number | undefined;
}

/** The one range of a Range field. Undefined for several, other units and what cannot be read: those are not for a cache. */
export const parseRange = (field: string | null): ByteRange | undefined => {
  const [, first, last] = /^\s*bytes\s*=\s*([0-9]*)-([0-9]*)\s*$/i.exec(field ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") return { suffixLength: Number(last) };
  if (last !== "" && Number(last) < Number(first)) return undefined;
  return { first: Number(first), last: last === "" ? undefined : Number(last) };
};

/** What a 206 says of its bytes (RFC 9110, 14.4); undefined where it says nothing that can be used. */
export const parseContentRange = (field: string | null): StoredPart | undefined => {
  const [, first, total] = /^\s*bytes\s+([0-9]+)-[0-9]+\/([0-9]+|\*)\s*$/i.exec(field ?? "") ?? [];
  if (first === undefined) return undefined;
  return { first: Number(first), total: total === "*" ? undefined : Number(total) };
};

/** A part of stored bytes: where it begins and ends in them, and the Content-Range to send with it. */
export interface Slice {
  readonly start: number;
  readonly end: number;
  readonly contentRange: string;
}

/**
 * The asked part of `length` stored bytes. `unsatisfiable`: the whole is known, and the range lies outside (416).
 * Undefined: the stored bytes do not hold all of it.
 */
export const sliceOf = (range: ByteRange, stored: StoredPart, length: number): Slice | "unsatisfiable" | undefined => {
  const end = stored.first + length;
  const total = stored.total ?? end;
  const isWhole = stored.first === 0 && length === stored.total;
  const reachesEnd = end >= total;
  let first: number;
  let last: number;
  if ("suffixLength" in range) {
    if (!reachesEnd || (range.suffixLength > length && !isWhole)) return undefined;
    if (range.suffixLength === 0 || length === 0) return "unsatisfiable";
    last = end - 1;
    first = Math.max(stored.first, end - range.suffixLength);
  } else {
    if (isWhole && range.first >= total) return "unsatisfiable";
    if (range.last === undefined && !reachesEnd) return undefined;
    first = range.first;
    last = Math.min(range.last ?? end - 1, reachesEnd ? end - 1 : Number.POSITIVE_INFINITY);
  }
  if (first < stored.first || last >= end || first > last) return undefined;
  const contentRange = `bytes ${first}-${last}/${stored.total ?? "*"}`;
  return { start: first - stored.first, end: last + 1 - stored.first, contentRange };
};
