// Decides: which page of a list follows another, and when there are too many.
import type { EngineListResponse } from "@bytenite-engines/proto";
import type { ClientParts } from "./ClientParts.ts";
import { EngineError } from "./EngineError.ts";
import type { ListParams } from "./Parameters.ts";

/** The page after one: further by the engines received, since the server's page may be smaller than asked for. */
export const nextPage = (params: ListParams, page: EngineListResponse): ListParams | undefined => {
  if (page.engines.length === 0 || page.pagination?.hasNext !== true) return undefined;
  const offset = (params.offset ?? params.pagination?.offset ?? 0) + page.engines.length;
  return { ...params, offset };
};

/** The failure of a list with more pages than a client may read. */
export const tooManyPages = (parts: ClientParts, maxPages: number): EngineError =>
  new EngineError({
    reason: { _tag: "TooLarge", limit: "maxPages", value: maxPages },
    url: `${parts.baseUrl}/engines`,
    attempts: 0,
  });
