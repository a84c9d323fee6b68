// Expected response for given engines, by the published rules.
import { clone, create, type DescMessage } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ListParams } from "@bytenite-engines/core/promise";
import { compareVersions, parseTag, parseVersion, type ReadName } from "@bytenite-engines/core/wire";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  type Engine,
  type EngineListResponse,
  type EngineMessage,
} from "@bytenite-engines/proto";
import type { Held, State } from "./EngineWorld.ts";

/** All parameters of a list. */
type AskedList = { readonly [Name in keyof Omit<ListParams, "pagination">]-?: Exclude<ListParams[Name], undefined> };

/** A request. */
export type Asked =
  | { readonly endpoint: "list"; readonly params: AskedList }
  | { readonly endpoint: "get" | "status"; readonly tag: string };

/** The message that answers it, or that there is none. */
export type Right = Engine | EngineListResponse | EngineMessage | "absent";

/** The schema of the answers of an endpoint. */
export const schemaOf = {
  list: EngineListResponseSchema,
  get: EngineSchema,
  status: EngineMessageSchema,
} as const satisfies Readonly<Record<ReadName, DescMessage>>;

const known = new WeakMap<State, Map<string, Right>>();

/** The right answer for a user. */
export const rightAnswer = (state: State, user: string, asked: Asked): Right => {
  const answers = known.get(state) ?? new Map<string, Right>();
  known.set(state, answers);
  const key = `${user} ${JSON.stringify(asked)}`;
  const found = answers.get(key);
  if (found !== undefined) return found;
  const right = asked.endpoint === "list" ? listOf(state, user, asked.params) : engineOf(state, user, asked);
  answers.set(key, right);
  return right;
};

/** An engine as a user may see it: only its owner sees the secret. */
const seenBy = (user: string, { engine, user: owner }: Held): Engine => {
  if (owner === user || engine.platformConfig === undefined) return engine;
  const seen = clone(EngineSchema, engine);
  if (seen.platformConfig !== undefined) seen.platformConfig.token = "";
  return seen;
};

const createdAtMs = ({ engine }: Held): number => (engine.createdAt === undefined ? 0 : timestampMs(engine.createdAt));

const byVersion = (a: Held, b: Held): number => {
  const [first, second] = [parseVersion(a.engine.version), parseVersion(b.engine.version)];
  return first === undefined || second === undefined ? 0 : compareVersions(first, second);
};

const byName = (a: Held, b: Held): number =>
  (a.engine.name < b.engine.name ? -1 : a.engine.name > b.engine.name ? 1 : 0) ||
  byVersion(a, b) ||
  a.number - b.number;

const listOf = (
  state: State,
  user: string,
  { isPublic, orderBy, limit, offset, ...unread }: AskedList,
): EngineListResponse => {
  unread satisfies Record<string, never>;
  const all = [...state.engines.values()].filter((held) => (isPublic ? held.engine.isPublic : held.user === user));
  const sorted = all.toSorted(
    orderBy === "name" ? byName : (a, b) => createdAtMs(a) - createdAtMs(b) || a.number - b.number,
  );
  const page = sorted.slice(offset, offset + limit);
  return create(EngineListResponseSchema, {
    engines: page.map((held) => seenBy(user, held)),
    pagination: {
      total: all.length,
      offset,
      hasPrevious: offset > 0,
      hasNext: page.length > 0 && offset + page.length < all.length,
    },
  });
};

const engineOf = (
  state: State,
  user: string,
  { endpoint, tag: text }: Extract<Asked, { readonly tag: string }>,
): Right => {
  const tag = parseTag(text);
  const fitting = [...state.engines.values()].filter(({ engine }) => {
    const version = parseVersion(engine.version);
    return (
      engine.name === tag?.name &&
      (tag.major ?? version?.major) === version?.major &&
      (tag.minor ?? version?.minor) === version?.minor
    );
  });
  const own = fitting.filter((held) => held.user === user);
  const candidates = own.length > 0 ? own : fitting.filter(({ engine }) => engine.isPublic);
  const meant = candidates.toSorted((a, b) => byVersion(b, a) || b.number - a.number)[0];
  if (meant === undefined) return "absent";
  if (endpoint === "get") return seenBy(user, meant);
  const { id, name, version, status } = meant.engine;
  return create(EngineMessageSchema, { engineId: id, engineTag: `${name}@${version}`, engineStatus: status });
};
