// The life of one engine as a table: calls and expected outcomes.

/** Who calls. `reader` is the owner with a token of scope `read`; `crowded` has used up the quota of archives. */
export type Caller = "owner" | "other" | "reader" | "crowded" | "nobody";

/** Archives by name; `Archives.ts` makes them. */
export type ArchiveName = "first" | "second" | "public" | "large" | "escaping" | "without-manifest";

/** A call as every client can express it. */
export type LifecycleCall =
  | {
      readonly do: "upload";
      readonly archive: ArchiveName;
      readonly activate?: boolean;
      readonly ifRevision?: number;
      /** Version in the tag that is sent along; default: that of the manifest. */
      readonly version?: string;
    }
  | { readonly do: "activate" | "deactivate" | "delete"; readonly ifRevision?: number }
  | { readonly do: "archive" }
  /** A request for the archive by the link that the owner got last. */
  | {
      readonly do: "link";
      readonly method?: "GET" | "HEAD" | "POST";
      /** `ETAG` stands for the tag of the archive. */
      readonly headers?: Readonly<Record<string, string>>;
      /** Changes the signature. */
      readonly isForged?: boolean;
    };

/** An engine as its owner reads it, or undefined where there is none. */
export type EngineState =
  | {
      readonly revision: number;
      readonly status: "active" | "inactive";
      readonly isPublic: boolean;
      readonly archive: ArchiveName;
    }
  | undefined;

/** A refusal: HTTP status and google.rpc code, the reason of core, the exit code of `bne`. */
export interface LifecycleRefusal {
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  readonly exit: number;
}

/** Expectation of a row. A refusal changes nothing. */
export type LifecycleExpected =
  | { readonly state: EngineState }
  | { readonly archive: ArchiveName }
  | { readonly link: { readonly status: number; readonly bytes?: readonly [from: number, to: number] } }
  | { readonly refused: LifecycleRefusal };

/** A row of the table. Rows follow each other: each finds what those before it left. */
export interface LifecycleRow {
  readonly name: string;
  /** Default: the owner. */
  readonly as?: Caller;
  readonly call: LifecycleCall;
  readonly expected: LifecycleExpected;
  /** The kinds of clients that can make this call. Default: all. */
  readonly by?: ReadonlyArray<"core" | "http" | "bne">;
}

const refusals = {
  notFound: { status: 404, code: "NOT_FOUND", reason: "NotFound", exit: 3 },
  forbidden: { status: 403, code: "PERMISSION_DENIED", reason: "PermissionDenied", exit: 4 },
  unauthenticated: { status: 401, code: "UNAUTHENTICATED", reason: "Unauthenticated", exit: 4 },
  conflict: { status: 412, code: "ABORTED", reason: "Conflict", exit: 7 },
  quota: { status: 400, code: "FAILED_PRECONDITION", reason: "InvalidArgument", exit: 7 },
  tooLarge: { status: 413, code: "INVALID_ARGUMENT", reason: "InvalidArgument", exit: 7 },
  invalid: { status: 400, code: "INVALID_ARGUMENT", reason: "InvalidArgument", exit: 2 },
} as const satisfies Readonly<Record<string, LifecycleRefusal>>;

const state = (
  archive: ArchiveName,
  revision: number,
  status: "active" | "inactive",
  isPublic = false,
): LifecycleExpected => ({ state: { revision, status, isPublic, archive } });

const refused = (name: keyof typeof refusals, exit: number = refusals[name].exit): LifecycleExpected => ({
  refused: { ...refusals[name], exit },
});

const link = (status: number, bytes?: readonly [number, number]): LifecycleExpected => ({
  link: { status, ...(bytes === undefined ? {} : { bytes }) },
});

const plainOnly = ["http"] as const;

/** The table. */
export const lifecycleRows: ReadonlyArray<LifecycleRow> = [
  { name: "activate what is not there", call: { do: "activate" }, expected: refused("notFound") },
  {
    name: "upload without a token",
    as: "nobody",
    call: { do: "upload", archive: "first" },
    expected: refused("unauthenticated"),
  },
  {
    name: "upload with a token that reads",
    as: "reader",
    call: { do: "upload", archive: "first" },
    expected: refused("forbidden"),
  },
  {
    name: "upload an entry outside the folder",
    call: { do: "upload", archive: "escaping" },
    expected: refused("invalid", 7),
  },
  {
    name: "upload without a manifest",
    call: { do: "upload", archive: "without-manifest" },
    expected: refused("invalid", 2),
  },
  {
    name: "upload under another tag",
    by: ["core", "http"],
    call: { do: "upload", archive: "first", version: "9.9" },
    expected: refused("invalid"),
  },
  { name: "upload more than is taken", call: { do: "upload", archive: "large" }, expected: refused("tooLarge") },
  {
    name: "overwrite what is not there",
    call: { do: "upload", archive: "first", ifRevision: 3 },
    expected: refused("conflict"),
  },
  {
    name: "upload a new engine",
    call: { do: "upload", archive: "first", ifRevision: 0 },
    expected: state("first", 1, "inactive"),
  },
  { name: "upload it again", call: { do: "upload", archive: "first" }, expected: state("first", 1, "inactive") },
  {
    name: "upload what is there, if new",
    call: { do: "upload", archive: "second", ifRevision: 0 },
    expected: refused("conflict"),
  },
  {
    name: "overwrite",
    call: { do: "upload", archive: "second", ifRevision: 1 },
    expected: state("second", 2, "inactive"),
  },
  {
    name: "overwrite an old revision",
    call: { do: "upload", archive: "first", ifRevision: 1 },
    expected: refused("conflict"),
  },
  { name: "activate with a token that reads", as: "reader", call: { do: "activate" }, expected: refused("forbidden") },
  {
    name: "activate an old revision",
    by: ["core", "http"],
    call: { do: "activate", ifRevision: 1 },
    expected: refused("conflict"),
  },
  { name: "activate", call: { do: "activate", ifRevision: 2 }, expected: state("second", 2, "active") },
  { name: "activate again", call: { do: "activate" }, expected: state("second", 2, "active") },
  { name: "overwrite what is active", call: { do: "upload", archive: "first" }, expected: state("first", 3, "active") },
  { name: "deactivate", call: { do: "deactivate" }, expected: state("first", 3, "inactive") },
  {
    name: "activate by the same archive",
    call: { do: "upload", archive: "first", activate: true },
    expected: state("first", 3, "active"),
  },
  { name: "download", call: { do: "archive" }, expected: { archive: "first" } },
  { name: "download with a token that reads", as: "reader", call: { do: "archive" }, expected: { archive: "first" } },
  { name: "download another's private engine", as: "other", call: { do: "archive" }, expected: refused("notFound") },
  {
    name: "deactivate another's private engine",
    as: "other",
    call: { do: "deactivate" },
    expected: refused("notFound"),
  },
  { name: "delete another's private engine", as: "other", call: { do: "delete" }, expected: refused("notFound") },
  { name: "make it public", call: { do: "upload", archive: "public" }, expected: state("public", 4, "active", true) },
  { name: "download another's public engine", as: "other", call: { do: "archive" }, expected: { archive: "public" } },
  {
    name: "deactivate another's public engine",
    as: "other",
    call: { do: "deactivate" },
    expected: refused("forbidden"),
  },
  { name: "delete another's public engine", as: "other", call: { do: "delete" }, expected: refused("forbidden") },
  {
    name: "upload above the quota",
    as: "crowded",
    call: { do: "upload", archive: "first" },
    expected: refused("quota"),
  },
  { name: "follow the link", by: plainOnly, call: { do: "link" }, expected: link(200, [0, 3_072]) },
  { name: "ask for its head", by: plainOnly, call: { do: "link", method: "HEAD" }, expected: link(200) },
  {
    name: "follow it for a range",
    by: plainOnly,
    call: { do: "link", headers: { Range: "bytes=500-519" } },
    expected: link(206, [500, 520]),
  },
  {
    name: "follow it for the end",
    by: plainOnly,
    call: { do: "link", headers: { Range: "bytes=-96" } },
    expected: link(206, [2_976, 3_072]),
  },
  {
    name: "follow it for a range past the end",
    by: plainOnly,
    call: { do: "link", headers: { Range: "bytes=3072-" } },
    expected: link(416),
  },
  {
    name: "continue the same archive",
    by: plainOnly,
    call: { do: "link", headers: { Range: "bytes=100-", "If-Range": "ETAG" } },
    expected: link(206, [100, 3_072]),
  },
  {
    name: "continue another archive",
    by: plainOnly,
    call: { do: "link", headers: { Range: "bytes=100-", "If-Range": '"x"' } },
    expected: link(200, [0, 3_072]),
  },
  {
    name: "follow it when it has changed",
    by: plainOnly,
    call: { do: "link", headers: { "If-None-Match": "ETAG" } },
    expected: link(304),
  },
  {
    name: "follow it if it is another",
    by: plainOnly,
    call: { do: "link", headers: { "If-Match": '"x"' } },
    expected: link(412),
  },
  { name: "follow a forged link", by: plainOnly, call: { do: "link", isForged: true }, expected: link(403) },
  { name: "post to the link", by: plainOnly, call: { do: "link", method: "POST" }, expected: link(405) },
  {
    name: "delete an old revision",
    by: ["core", "http"],
    call: { do: "delete", ifRevision: 1 },
    expected: refused("conflict"),
  },
  { name: "delete with a token that reads", as: "reader", call: { do: "delete" }, expected: refused("forbidden") },
  { name: "delete", call: { do: "delete" }, expected: { state: undefined } },
  { name: "delete again", call: { do: "delete" }, expected: refused("notFound") },
  { name: "download what is deleted", call: { do: "archive" }, expected: refused("notFound") },
  { name: "follow the link to what is deleted", by: plainOnly, call: { do: "link" }, expected: link(404) },
];
