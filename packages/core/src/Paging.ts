// The pages of a whole list, and their sizes.
import type { EngineListResponse } from "./ApiResponse.ts";
import type { ClientParts } from "./ClientParts.ts";
import { EngineError } from "./EngineError.ts";
import type { ListParams } from "./Parameters.ts";

/** Engines asked for at once from the second page on, where the caller names no limit. */
export const largePage = 1_000;

/** Half of a page this small that was refused is not asked for; the server's own page is. */
const smallestPage = 16;

/** One page to ask for. */
export interface PageRequest {
  readonly params: ListParams;
  /** Who says how many engines a page has: the caller, the server, or we, who ask for fewer when we are refused. */
  readonly size: "caller" | "server" | "ours";
}

/** The first page: as large as the server likes, unless the caller says how large. */
export const firstPage = (params: ListParams): PageRequest => ({
  params,
  size: limitOf(params) === undefined ? "ours" : "caller",
});

/** The page after one: further by the engines received, since the server's page may be smaller than asked for. */
export const nextPage = (
  { params, size }: PageRequest,
  page: EngineListResponse,
  maxEngines = largePage,
): PageRequest | undefined => {
  if (page.engines.length === 0 || page.pagination?.hasNext !== true) return undefined;
  const offset = (params.offset ?? params.pagination?.offset ?? 0) + page.engines.length;
  const next = { ...params, offset };
  return { params: size === "ours" ? { limit: Math.min(largePage, maxEngines), ...next } : next, size };
};

/** The same page in half the size, once a size of ours was refused; at last in the server's own. */
export const smallerPage = ({ params, size }: PageRequest, { reason }: EngineError): PageRequest | undefined => {
  const isRefused = reason._tag === "InvalidArgument" || reason._tag === "TooLarge";
  const { limit, ...rest } = params;
  if (size !== "ours" || limit === undefined || !isRefused) return undefined;
  return limit > smallestPage
    ? { params: { ...rest, limit: Math.floor(limit / 2) }, size }
    : { params: rest, size: "server" };
};

const limitOf = (params: ListParams): number | undefined => params.limit ?? params.pagination?.limit;

/** The failure of a list whose server says that engines follow, and sends none: it would look complete without them. */
export const endedEarly = (
  parts: Pick<ClientParts, "baseUrl">,
  { params }: PageRequest,
  { engines, pagination }: EngineListResponse,
): EngineError | undefined => {
  if (engines.length > 0 || pagination?.hasNext !== true) return undefined;
  const read = params.offset ?? params.pagination?.offset ?? 0;
  const total = pagination.total > read ? ` of ${pagination.total}` : "";
  return new EngineError({
    reason: {
      _tag: "Undecodable",
      problem: `the server ended the list early, after ${read}${total} engines: an empty page with hasNext`,
    },
    url: `${parts.baseUrl}/engines`,
    attempts: 1,
  });
};

/** The failure of a list with more pages than a client may read. */
export const tooManyPages = (parts: ClientParts, maxPages: number): EngineError =>
  new EngineError({
    reason: { _tag: "TooLarge", limit: "maxPages", value: maxPages },
    url: `${parts.baseUrl}/engines`,
    attempts: 0,
  });
