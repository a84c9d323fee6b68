// Archives that are sent to storage by a link, and checked there.

/** The path below the base URL at which links are asked for. An extension. */
export const uploadsPath = "/uploads";

/** The header with the length in bytes of the archive that a link is for. */
export const uploadLengthHeader = "Upload-Length";

/** Places in storage for archives that are too long for one request. What lies there is in no engine, and goes after some time. */
export interface Staging {
  /** Bytes of the longest archive that is taken. */
  readonly maxBytes: number;
  /** A URL that takes one PUT of so many bytes; undefined where all places of the user are taken. Whoever has it can use it. */
  readonly link: (user: string, bytes: number) => Promise<string | undefined>;
  /** The place of this user that a link leads to, its query aside; undefined for anything else. */
  readonly placeOf: (user: string, link: string) => string | undefined;
  /** The archive at a place, or undefined. Rejects with StorageUnavailable. */
  readonly read: (place: string) => Promise<AsyncIterable<Uint8Array> | undefined>;
  readonly remove: (place: string) => Promise<void>;
}

/** The SHA-256 in a `Repr-Digest` (RFC 9530), in base64, or undefined. */
export const digestIn = (field: string | null): string | undefined =>
  /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)/.exec(field ?? "")?.[1];
