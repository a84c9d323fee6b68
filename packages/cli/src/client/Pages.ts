// Pages of a list, filters, memory limits.
import type { ListParams, PromiseEngineClient } from "@bytenite-engines/core/promise";
import type { Engine, EngineListResponse, PaginatedResponse } from "@bytenite-engines/proto";
import { UserError } from "@bytenite-engines/registry/command";
import { exitCodes, isEngineError } from "../Errors.ts";

/** Filters that the API does not have. */
export interface EngineFilter {
  readonly type?: string | undefined;
  readonly status?: string | undefined;
  /** With `*` and `?`. */
  readonly name?: string | undefined;
}

/** A page of a list, and what has been read up to it. */
export interface Page {
  readonly engines: ReadonlyArray<Engine>;
  readonly pagination: PaginatedResponse | undefined;
  readonly pages: number;
  readonly read: number;
}

/** Page size of commands that read whole lists. A server may send fewer. */
export const largePage = 500;

/** How pages are read. */
export interface PageOptions {
  /** Page size; undefined: the server's default. */
  readonly size?: number | undefined;
  /** Whether the size is a default of bne: after a refusal the server's default is used. */
  readonly isSizeOurs?: boolean;
  /** The next page is asked for while this one is used, as long as fewer engines than this were read. Default: none ahead. */
  readonly ahead?: number;
}

/** Most pages of a list. */
const maxPages = 100_000;

/** A list that does not end as the server says: without this failure it would look complete, or never end. */
const brokenOff = (how: string, read: number, total: number, why: string): UserError =>
  new UserError(
    `${how}, after ${read}${total > read ? ` of ${total}` : ""} engines: ${why}, though it says that more follow`,
    exitCodes.undecodable,
    "Try again; `bne doctor` checks the server.",
  );

/**
 * Pages from `params` on, further by the engines received, as servers may send fewer than asked for. Fails where more are said to
 * follow an empty page, one that is the same as that before it, or the last of `maxPages`.
 */
export async function* pagesOf(
  client: Pick<PromiseEngineClient, "list">,
  params: ListParams,
  signal: AbortSignal,
  { size, isSizeOurs = false, ahead = 0 }: PageOptions = {},
): AsyncGenerator<Page> {
  // Ends a page that is asked for ahead and not wanted any more. Only then: Node 20, and 24.14 still, keep a part of each such
  // signal as long as `signal`, which a watch uses for days.
  const ended = new AbortController();
  const either = ahead > 0 ? AbortSignal.any([signal, ended.signal]) : signal;
  const ask = (read: number, limit: number | undefined): Promise<EngineListResponse> =>
    client.list({ ...params, offset: (params.offset ?? 0) + read, limit }, { signal: either });
  let limit = size;
  let read = 0;
  let before = "";
  let next = ask(0, limit).catch((error: unknown) => {
    if (!isSizeOurs || !isEngineError(error) || error.reason._tag !== "InvalidArgument") throw error;
    limit = undefined;
    return ask(0, limit);
  });
  try {
    for (let pages = 1; ; pages++) {
      const { engines, pagination } = await next;
      read += engines.length;
      const isAhead = pagination?.hasNext === true && read < ahead;
      if (isAhead) {
        next = ask(read, limit);
        // Reported when it is awaited.
        next.catch(() => {});
      }
      yield { engines, pagination, pages, read };
      if (pagination?.hasNext !== true) return;
      const all = (params.offset ?? 0) + read;
      const { total } = pagination;
      if (engines.length === 0) throw brokenOff("The server ended the list early", all, total, "an empty page");
      const now = JSON.stringify([total, ...engines.map(({ id, name, version }) => [id, name, version])]);
      if (now === before) throw brokenOff("The list of the server has no end", all, total, "the same page again");
      if (pages === maxPages) throw brokenOff("The list is too long", all, total, `${maxPages} pages`);
      before = now;
      if (!isAhead) next = ask(read, limit);
    }
  } finally {
    // A reason of our own: the usual one, a DOMException, takes milliseconds to make.
    ended.abort("enough was read");
  }
}

/** The test of a filter. */
export const matches = (filter: EngineFilter): ((engine: Engine) => boolean) => {
  const name = filter.name === undefined ? undefined : globPattern(filter.name);
  return (engine) =>
    (filter.type === undefined || engine.type === filter.type) &&
    (filter.status === undefined || engine.status === filter.status) &&
    (name === undefined || name.test(engine.name));
};

/** `*` stands for any characters, `?` for one; runs of `*` are one, so that no pattern takes long. */
const globPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replaceAll(/\*+/g, "*")
      .replaceAll(/[\\^$.|+()[\]{}]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "su",
  );

/** Records per piece of text; larger pieces need more memory. */
export const recordsPerWrite = 100;

/**
 * Measured over 5,000 pages: without these, compiled code and a growing nursery take 25 MB that 50 pages do not take, for a
 * fifth less CPU. For commands that read page after page and hold none of them.
 */
export const keepHeapSmall = (): void => {
  // Not imported: it takes a millisecond, which a list of one page need not wait for.
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-maglev");
  // Pages of 1,000 engines outlive the nursery: with the usual factor they take 104 to 114 MB before they are collected, with
  // this one 82 to 92 MB; one such page takes 71 MB.
  setFlagsFromString("--heap-growing-percent=10");
};

/** A page in pieces. */
export function* inPieces<T>(items: ReadonlyArray<T>): Generator<ReadonlyArray<T>> {
  for (let start = 0; start < items.length; start += recordsPerWrite) yield items.slice(start, start + recordsPerWrite);
}
