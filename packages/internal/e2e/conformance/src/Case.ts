// Types of a wire case: call, HTTP request, expected response.
import type { JsonObject } from "@bufbuild/protobuf";
import type { EngineErrorTag, ListParams, MessageParams } from "@bytenite-engines/core/promise";
import type { ReadName, RpcCode } from "@bytenite-engines/core/wire";
import { engines, users, type OwnerIds, type UserName } from "./Engines.ts";

/** The request as a call of core. */
export type Call =
  | { readonly endpoint: "list"; readonly params?: ListParams }
  | { readonly endpoint: Exclude<ReadName, "list">; readonly tag: string; readonly params?: MessageParams };

/** A refusal: HTTP status and gRPC code on the wire, and the reason that core makes of it. */
export interface Refusal {
  readonly status: number;
  readonly code: RpcCode;
  readonly reason: EngineErrorTag;
}

/** Expected result: data, as the JSON of the response message, or a refusal. */
export type Expected = { readonly data: (seeds: Seeds) => JsonObject } | { readonly refused: Refusal };

/** One row of the table. */
export interface WireCase {
  readonly name: string;
  /** User of the request. `nobody` sends no token, `stranger` an unknown one. Default alice. */
  readonly as?: UserName | "nobody" | "stranger";
  /** Absent where core cannot even say it. */
  readonly call?: Call;
  /** Path and query below the base URL, as they stand on the wire. Absent: as core would write them, tried only there. */
  readonly target?: string;
  /** Default GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expected: Expected;
  /** Differences of the proxy's answer. */
  readonly expectedOfProxy?: Expected;
}

/** Contents of the registry. */
export class Seeds {
  readonly #owners: OwnerIds;
  constructor(owners: OwnerIds) {
    this.#owners = owners;
  }

  /** The JSON of an engine, by its owner and whole tag. */
  engine(owner: UserName, tag: string): JsonObject {
    const found = engines[owner].find(({ name, version }) => `${name}@${version}` === tag);
    if (found === undefined) throw new Error(`the table has no ${tag} of ${owner}`);
    return { ...found, owner: this.#owners[owner], userName: owner };
  }

  /** The JSON of an engine as others than its owner see it: without the secret of its container registry. */
  publicEngine(owner: UserName, tag: string): JsonObject {
    const found = this.engine(owner, tag);
    const { platformConfig } = found;
    return typeof platformConfig === "object" && platformConfig !== null && !Array.isArray(platformConfig)
      ? { ...found, platformConfig: { ...platformConfig, token: "" } }
      : found;
  }

  /** The tags of a user's engines, in the order of creation. */
  tags(owner: UserName): ReadonlyArray<string> {
    return engines[owner].map(({ name, version }) => `${name}@${version}`);
  }

  /** The JSON of a page of a user's engines. */
  page(owner: UserName, tags: ReadonlyArray<string>, offset: number, total = this.tags(owner).length): JsonObject {
    return {
      engines: tags.map((tag) => this.engine(owner, tag)),
      pagination: {
        total,
        offset,
        hasPrevious: offset > 0,
        hasNext: tags.length > 0 && offset + tags.length < total,
      },
    };
  }

  /** The JSON of the page of all public engines, in the order of creation. */
  publicPage(): JsonObject {
    const all = users.flatMap((owner) =>
      engines[owner]
        .filter(({ isPublic }) => isPublic === true)
        .map(({ name, version }) => this.publicEngine(owner, `${name}@${version}`)),
    );
    return { engines: all, pagination: { total: all.length, offset: 0, hasPrevious: false, hasNext: false } };
  }

  /** The JSON of the status of an engine. */
  status(owner: UserName, tag: string): JsonObject {
    const { id, status } = this.engine(owner, tag);
    return { engineId: id ?? null, engineTag: tag, engineData: "", engineLink: "", engineStatus: status ?? null };
  }
}

/** Expected data. */
export const data = (of: (seeds: Seeds) => JsonObject): Expected => ({ data: of });

/** The refusals that the table knows. */
export const refused = {
  invalid: { refused: { status: 400, code: "INVALID_ARGUMENT", reason: "InvalidArgument" } },
  unauthenticated: { refused: { status: 401, code: "UNAUTHENTICATED", reason: "Unauthenticated" } },
  notFound: { refused: { status: 404, code: "NOT_FOUND", reason: "NotFound" } },
  unimplemented: { refused: { status: 405, code: "UNIMPLEMENTED", reason: "Unimplemented" } },
} as const satisfies Readonly<Record<string, Expected>>;
