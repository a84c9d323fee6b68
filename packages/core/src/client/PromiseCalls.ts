// Calls of a client as promises, and whole lists.
import * as Effect from "effect/Effect";
import type { EngineListResponse } from "../ApiResponse.ts";
import { withPartsOfCall } from "../ClientParts.ts";
import type { EngineError } from "../EngineError.ts";
import type { ListParams } from "../Parameters.ts";
import { firstPage, readPage, tooManyPages, type PageRequest } from "../Paging.ts";
import { promised, run } from "../Run.ts";
import type { EngineMethods, EngineParts } from "./EngineCalls.ts";
import type { Calls, CallsWithResponse, PromiseCallOptions, PromiseEngineClient } from "./PromiseClient.ts";

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
    const { maxPages } = own.settings.limits;
    const left = new AbortController();
    const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
    const list = (params: ListParams): Effect.Effect<EngineListResponse, EngineError> =>
      Effect.map(methods.list(params, { ...options, signal } as PromiseCallOptions), ({ data }) => data);
    const ask = (page: PageRequest) => run(readPage(own, page, list), signal);
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
