// Decides: which pages of a list are read, and which engines of them are wanted.
import type { Engine, EngineListResponse, PaginatedResponse } from "@bytenite-engines/proto";
import type { ListParams, PromiseEngineClient } from "@bytenite-engines/core/promise";

/** Which engines are wanted, by what the API cannot filter. */
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

/** Pages from `params` on, each asked for when it is needed; further by the engines received, as servers may send fewer. */
export async function* pagesOf(
  client: Pick<PromiseEngineClient, "list">,
  params: ListParams,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  let read = 0;
  for (let pages = 1; ; pages++) {
    const answer: EngineListResponse = await client.list(
      { ...params, offset: (params.offset ?? 0) + read },
      { signal },
    );
    read += answer.engines.length;
    yield { engines: answer.engines, pagination: answer.pagination, pages, read };
    if (answer.engines.length === 0 || answer.pagination?.hasNext !== true) return;
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
