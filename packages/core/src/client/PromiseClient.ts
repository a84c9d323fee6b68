// Clients whose calls are promises.
import * as Effect from "effect/Effect";
import type { ApiResponse, Engine, EngineArchive, EngineListResponse } from "../ApiResponse.ts";
import type { CallOptions } from "../ClientOptions.ts";
import { withPartsOfCall } from "../ClientParts.ts";
import { EngineError } from "../EngineError.ts";
import { endedEarly, firstPage, nextPage, smallerPage, tooManyPages, type PageRequest } from "../Paging.ts";
import type { EngineRpcs, ListParams, MessageParams } from "../Parameters.ts";
import { promised, run } from "../Run.ts";
import type { EngineMethods, EngineParts } from "./EngineCalls.ts";

/** Options of one call, with the signal that ends it. */
export interface PromiseCallOptions extends CallOptions {
  /** Ends the call at once: in the request, in the body, in the wait between two requests. */
  readonly signal?: AbortSignal | undefined;
}

type Rpcs = EngineRpcs<PromiseCallOptions>;

type Calls = { readonly [N in keyof Rpcs]: (...args: Parameters<Rpcs[N]>) => Promise<ReturnType<Rpcs[N]>> };

type CallsWithResponse = {
  readonly [N in keyof Rpcs]: (...args: Parameters<Rpcs[N]>) => Promise<ApiResponse<ReturnType<Rpcs[N]>>>;
};

/** The calls of the API. Every one rejects with EngineError; with the signal's reason once that is aborted. */
export interface PromiseEngineClient extends Calls {
  /**
   * All engines from `offset` on. The first page has the server's size, later ones 1,000 engines, or fewer where the
   * server refuses that; with `limit`, all have that many. The next page is read ahead. `deadlineMs` bounds each page, not
   * the whole list: for that, pass a `signal`, e.g. `AbortSignal.timeout(60_000)`.
   */
  listAll(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<Engine>;
  /** The pages of `listAll`. */
  listPages(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<EngineListResponse>;
  /**
   * The archive of an engine as a stream: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine;
   * the link gets no token and no header of the client's. Resolves when the first bytes can be read; from then on there is no
   * deadline, but bytes must come within each `attemptTimeoutMs`.
   */
  archive(tag: string, options?: PromiseCallOptions & MessageParams): Promise<EngineArchive>;
  /** The same calls, with status, headers, media type, attempts and timings in addition to the data. */
  readonly withResponse: CallsWithResponse;
}

/** The calls of a client, and its whole lists, as promises. */
export const promiseCalls = (
  parts: EngineParts,
  methods: Pick<EngineMethods, "list">,
): Omit<PromiseEngineClient, "archive"> => {
  const listPages: PromiseEngineClient["listPages"] = async function* (params = {}, options = {}) {
    const own = await run(
      withPartsOfCall(parts, options, ["signal"], (own) => Effect.succeed(own)),
      options.signal,
    );
    const { maxPages, maxEnginesPerPage } = own.settings.limits;
    const left = new AbortController();
    const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
    const ask = async (page: PageRequest): Promise<readonly [EngineListResponse, PageRequest | undefined]> => {
      try {
        const { data } = await run(methods.list(page.params, { ...options, signal } as PromiseCallOptions), signal);
        const early = endedEarly(own, page, data);
        if (early !== undefined) throw early;
        return [data, nextPage(page, data, maxEnginesPerPage)];
      } catch (error) {
        const smaller = error instanceof EngineError ? smallerPage(page, error) : undefined;
        if (smaller === undefined) throw error;
        return ask(smaller);
      }
    };
    try {
      let asked = ask(firstPage(params ?? {}));
      for (let pages = 1; ; pages++) {
        const [page, next] = await asked;
        if (next === undefined) return yield page;
        if (pages >= maxPages) {
          yield page;
          throw tooManyPages(own, maxPages);
        }
        // The next page is under way while this one is used. Its failure is thrown when it is waited for.
        asked = ask(next);
        asked.catch(() => {});
        yield page;
      }
    } finally {
      left.abort();
    }
  };
  return {
    ...(promised(methods) as Calls & { readonly withResponse: CallsWithResponse }),
    listPages,
    listAll: async function* (params, options) {
      for await (const { engines } of listPages(params, options)) yield* engines;
    },
  };
};
