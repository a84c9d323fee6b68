// The pages of a whole list, and their sizes.
import * as Effect from "effect/Effect";
import type { EngineListResponse } from "./ApiResponse.ts";
import type { ClientParts } from "./ClientParts.ts";
import { EngineError } from "./EngineError.ts";
import type { ListParams } from "./Parameters.ts";

/** Page size from the second page on, without a limit of the caller. */
export const largePage = 1_000;

/** Smallest page size that is halved after a refusal; then the server's default is used. */
const smallestPage = 16;

/** One page of a list. */
export interface PageRequest {
  readonly params: ListParams;
  /** Source of the page size: the caller, the server, or this client, which halves its size after a refusal. */
  readonly size: "caller" | "server" | "ours";
}

/** The first page, of the caller's or the server's size. */
export const firstPage = (params: ListParams): PageRequest => ({
  params,
  size: (params.limit ?? params.pagination?.limit) === undefined ? "ours" : "caller",
});

/** The next page, by the engines received: the server's page may be smaller. */
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

/** The same page in half the size, or in the server's default size. */
export const smallerPage = ({ params, size }: PageRequest, { reason }: EngineError): PageRequest | undefined => {
  const isRefused = reason._tag === "InvalidArgument" || reason._tag === "TooLarge";
  const { limit, ...rest } = params;
  if (size !== "ours" || limit === undefined || !isRefused) return undefined;
  return limit > smallestPage
    ? { params: { ...rest, limit: Math.floor(limit / 2) }, size }
    : { params: rest, size: "server" };
};

/** Reads one page. */
export type ListPage = (params: ListParams) => Effect.Effect<EngineListResponse, EngineError>;

/** Reads a page, in smaller ones where the server refuses its size; and what the page after it is. */
export const readPage = (
  own: ClientParts,
  page: PageRequest,
  list: ListPage,
): Effect.Effect<readonly [EngineListResponse, PageRequest | undefined], EngineError> =>
  list(page.params).pipe(
    Effect.flatMap((answer) => {
      const early = endedEarly(own, page, answer);
      if (early !== undefined) return Effect.fail(early);
      return Effect.succeed([answer, nextPage(page, answer, own.settings.limits.maxEnginesPerPage)] as const);
    }),
    Effect.catch((error) => {
      const smaller = smallerPage(page, error);
      return smaller === undefined ? Effect.fail(error) : readPage(own, smaller, list);
    }),
  );

/** The failure of an empty page with `hasNext`. */
export const endedEarly = (
  parts: Pick<ClientParts, "baseUrl">,
  { params }: PageRequest,
  { engines, pagination }: EngineListResponse,
): EngineError | undefined => {
  if (engines.length > 0 || pagination?.hasNext !== true) return undefined;
  const read = params.offset ?? params.pagination?.offset ?? 0;
  const total = pagination.total > read ? ` of ${pagination.total}` : "";
  const problem = `the server ended the list early, after ${read}${total} engines: an empty page with hasNext`;
  return new EngineError({ reason: { _tag: "Undecodable", problem }, url: `${parts.baseUrl}/engines`, attempts: 1 });
};

/** The failure of a list with more pages than a client may read. */
export const tooManyPages = (parts: Pick<ClientParts, "baseUrl">, value: number): EngineError => {
  const reason = { _tag: "TooLarge", limit: "maxPages", value } as const;
  return new EngineError({ reason, url: `${parts.baseUrl}/engines`, attempts: 0 });
};
