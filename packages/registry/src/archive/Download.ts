// Downloads of archives by signed link, whole or in ranges.
import { requestIdFrom } from "@bytenite-engines/core/wire";
import { errorAnswer, headersOf, type Answer, type RequestHead } from "../api/Answer.ts";
import { ApiError } from "../api/ApiError.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqlDriver } from "../api/SqlDriver.ts";
import { otherMethod } from "../api/Web.ts";
import { readDownload, type KeptArchive } from "./ArchiveRows.ts";
import { archivePlace, openArchive, type ObjectStore } from "./ArchiveStore.ts";
import type { Links } from "./Link.ts";

/** Dependencies of downloads. */
export interface DownloadOptions {
  readonly sql: SqlDriver;
  readonly box: SecretBox | undefined;
  readonly store: ObjectStore;
  readonly links: Links;
  readonly onFault?: ((error: unknown, requestId: string) => void) | undefined;
  readonly now: () => number;
}

/** Builds the routes below `archivesPath`. Links need no token. Never rejects. */
export const makeDownload =
  ({ sql, box, store, links, onFault, now }: DownloadOptions) =>
  async (head: RequestHead): Promise<Answer> => {
    const requestId = requestIdFrom(head.header("x-request-id"));
    const logFields = { endpoint: "archive", user: undefined } as const;
    try {
      const other = otherMethod(head.method, ["GET"]);
      if (other !== undefined) return { ...other, logFields };
      const { pathname, searchParams } = new URL(head.target, "http://registry.invalid");
      const linked = await links.verify(pathname, searchParams, now());
      if (linked === undefined) {
        throw new ApiError("PERMISSION_DENIED", "the link has expired or was changed: ask for a new one");
      }
      const archive = await readDownload(sql, linked.archive);
      if (archive === undefined || !((linked.isOwners && archive.isOwnerEnabled) || archive.isPublic))
        throw new ApiError("NOT_FOUND", "the archive no longer exists: ask for a new link");
      const { name, major, minor } = archive.tag;
      const extension = archive.mediaType === "application/gzip" ? "tar.gz" : "tar";
      const headers: Record<string, string> = {
        "Content-Type": archive.mediaType,
        "Content-Disposition": `attachment; filename="${name}-${major}.${minor}.${extension}"`,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        // The link is the credential: no shared cache may store the response.
        "Cache-Control": "private, no-cache",
        ETag: `"${archive.hash}"`,
        "Repr-Digest": `sha-256=:${archive.hash}:`,
        "X-Request-Id": requestId,
      };
      const match = head.header("if-match");
      if (match !== null && match.trim() !== "*" && !match.split(",").some((tag) => tag.trim() === headers["ETag"])) {
        throw new ApiError("ABORTED", "the archive is not the one that If-Match names", { status: 412 });
      }
      const range = rangeOf(head, archive);
      if (range === "unsatisfiable") {
        throw new ApiError("OUT_OF_RANGE", "the range is not one of the archive", {
          status: 416,
          headers: { "Content-Range": `bytes */${archive.bytes}` },
        });
      }
      const { start, end } = range ?? { start: 0, end: archive.bytes };
      if (range !== undefined) headers["Content-Range"] = `bytes ${start}-${end - 1}/${archive.bytes}`;
      const status = range === undefined ? 200 : 206;
      const length = end - start;
      if (head.method === "HEAD") return { status, headers, body: "", stream: { length, bytes: undefined }, logFields };
      const bytes = await openArchive(store, { ...archive, dataKey: await dataKeyOf(archive, box) }, start, end);
      if (bytes === undefined) {
        throw new Error(`the object of archive ${archive.key} is missing: restore it from a backup`);
      }
      return { status, headers, body: "", stream: { length, bytes }, logFields };
    } catch (error) {
      return errorAnswer(error, headersOf({ jsonOnly: true }, "application/json", requestId), { logFields, onFault });
    }
  };

/** The key of an archive's object, opened with the operator's where it is sealed. */
export const dataKeyOf = async (
  { key, dataKey, isSealed }: KeptArchive,
  box: SecretBox | undefined,
): Promise<Uint8Array> => {
  if (!isSealed) return dataKey;
  if (box === undefined) {
    throw new ApiError("FAILED_PRECONDITION", "the archive holds a secret: it opens with BYTENITE_REGISTRY_KEY alone", {
      status: 503,
    });
  }
  return Uint8Array.from(atob(await box.open(dataKey, archivePlace(key))), (character) => character.charCodeAt(0));
};

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The one range that a request asks for. Several, or what cannot be read, mean the whole (RFC 9110, 14.2). */
const rangeOf = (head: RequestHead, { bytes, hash }: KeptArchive): Range | "unsatisfiable" | undefined => {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(head.header("range") ?? "") ?? [];
  const condition = head.header("if-range");
  // What a validator says comes first (RFC 9110, 13.2.2).
  if (head.header("if-none-match") !== null) return undefined;
  if (head.method !== "GET" || (first === "" && last === "")) return undefined;
  if (condition !== null && condition !== `"${hash}"`) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? "unsatisfiable" : { start: bytes - length, end: bytes };
  }
  if (last !== "" && Number(last) < Number(first)) return undefined;
  if (Number(first) >= bytes) return "unsatisfiable";
  return { start: Number(first), end: last === "" ? bytes : Math.min(Number(last) + 1, bytes) };
};
