// Pagination of a list.

/** Rows on a page when the request names no limit. Upstream documents none: an assumption. */
export const defaultLimit = 20;

/** Most rows on a page; a larger limit is lowered to it. Upstream documents none: an assumption. */
export const maxLimit = 1_000;

/**
 * Most bytes of the engines on a page. A page that would have more ends earlier, and says that there is a next one; a single
 * engine is always answered.
 */
export const maxPageBytes = 8 * 1_024 * 1_024;

/** The rows asked for. */
export interface Page {
  readonly limit: number;
  readonly offset: number;
}

/** The page that a request names. A limit of 0 is the same as none, as in all of proto3. */
export const pageOf = (request: { readonly limit: number; readonly offset: number } | undefined): Page => ({
  limit: Math.min(request?.limit || defaultLimit, maxLimit),
  offset: request?.offset ?? 0,
});

/** What the answer says about a page that holds `count` of `total` rows. */
export const paginationOf = (
  page: Page,
  count: number,
  total: number,
): { readonly total: number; readonly offset: number; readonly hasPrevious: boolean; readonly hasNext: boolean } => ({
  total,
  offset: page.offset,
  hasPrevious: page.offset > 0,
  hasNext: page.offset + count < total && count > 0,
});
