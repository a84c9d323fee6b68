// Range requests and stored parts (RFC 9110, 14; RFC 9111, 3.3).
import { isWeak } from "./Conditions.ts";

/** One range of a request, in bytes. `last` undefined: to the end. A suffix counts from the end. */
export type ByteRange =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffixLength: number };

/** The part of a representation that is stored. */
export interface StoredPart {
  /** Position of the first stored byte. */
  readonly first: number;
  /** Length of the whole representation; undefined where the origin did not give it. */
  readonly total: number | undefined;
}

/**
 * The Range field that applies to a response with this entity tag: only of a GET (RFC 9110, 14.2), and none where If-Range names another
 * tag, a weak one, or a date, which is a weak validator too (RFC 9110, 13.1.5).
 */
export const rangeFor = (method: string, asked: Headers, etag: string | null | undefined): string | null => {
  if (method !== "GET") return null;
  const ifRange = asked.get("if-range");
  return ifRange === null || (ifRange === etag && !isWeak(ifRange)) ? asked.get("range") : null;
};

/** The range of a Range field. Undefined for several ranges, other units and invalid fields. */
export const parseRange = (field: string | null): ByteRange | undefined => {
  const [, first = "", last = ""] = /^\s*bytes\s*=\s*([0-9]*)-([0-9]*)\s*$/i.exec(field ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") return { suffixLength: Number(last) };
  if (last !== "" && Number(last) < Number(first)) return undefined;
  return { first: Number(first), last: last === "" ? undefined : Number(last) };
};

/** The part in a Content-Range field of a 206 (RFC 9110, 14.4); undefined for an invalid field. */
export const parseContentRange = (field: string | null): StoredPart | undefined => {
  const [, first, total] = /^\s*bytes\s+([0-9]+)-[0-9]+\/([0-9]+|\*)\s*$/i.exec(field ?? "") ?? [];
  if (first === undefined) return undefined;
  return { first: Number(first), total: total === "*" ? undefined : Number(total) };
};

/** A slice of stored bytes, and the Content-Range to send with it. */
export interface Slice {
  readonly start: number;
  readonly end: number;
  readonly contentRange: string;
}

/**
 * The slice of `length` stored bytes that a range selects. `unsatisfiable`: the range lies outside of the whole
 * representation (416). Undefined: part of the range is not stored.
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
    first = range.first;
    last = Math.min(range.last ?? Number.POSITIVE_INFINITY, reachesEnd ? end - 1 : Number.POSITIVE_INFINITY);
  }
  if (first < stored.first || last >= end || first > last) return undefined;
  const contentRange = `bytes ${first}-${last}/${stored.total ?? "*"}`;
  return { start: first - stored.first, end: last + 1 - stored.first, contentRange };
};
