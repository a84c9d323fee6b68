// Model of the responses that each user may get.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { encode, endpoints, schemaDigestHeader, schemaDigests, type ReadName } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { seeded } from "@bytenite-engines/test-kit/random";
import { purgesReadEveryMs } from "../src/Purge.ts";
import type { Clock } from "./edge.ts";

/** One answer that the upstream gave. */
interface Production {
  readonly user: string;
  readonly endpoint: ReadName;
  readonly atMs: number;
  readonly noStore: boolean;
  delivered: number;
}

/** Whom the upstream knows, and how it treats them now. */
export interface User {
  readonly name: string;
  readonly token: string;
  readonly expiresAtMs: number;
  revoked: boolean;
  hidden: boolean;
}

/** Longest time from an answer of the upstream to its last use, by the default settings and its own `s-maxage`, in milliseconds. */
const longestUseMs: Record<ReadName, number> = { list: 610_000, get: 660_000, status: 600_000 };

const jwt = (name: string, expiresAtMs: number): string => {
  const payload = btoa(JSON.stringify({ sub: name, exp: expiresAtMs / 1000 })).replaceAll("=", "");
  return `e30.${payload}.c2lnbmF0dXJl`;
};

/** The users, the upstream, the clock, and all that has happened. */
export class World {
  readonly clock: Clock = { ms: 1_700_000_000_000 };
  readonly productions: Array<Production> = [];
  readonly users: ReadonlyArray<User>;
  readonly random: () => number;
  /** For each user, when an isolate last got a 401. */
  readonly turnedAway = new Map<string, { readonly atMs: number; readonly edge: number }>();
  readonly purges: Array<{
    readonly atMs: number;
    readonly edge: number;
    readonly endpoint: ReadName | "all";
  }> = [];

  readonly store: Cache;

  constructor(seed: number, store: Cache) {
    this.store = store;
    this.random = seeded(seed).next;
    this.users = ["ann", "bea", "cyd", "dot", "eve", "fay"].map((name, index) => {
      const expiresAtMs = index < 2 ? this.clock.ms + 400_000 * (index + 1) : Number.POSITIVE_INFINITY;
      const token = index < 2 ? jwt(name, expiresAtMs) : `opaque-${name}`;
      return { name, token, expiresAtMs, revoked: false, hidden: false };
    });
  }

  /** Lets others go first: waits for so many looks into a cache, each a turn of the runtime's loop. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await this.store.match("https://turn.invalid/");
  }

  pick<A>(values: ReadonlyArray<A>): A {
    const value = values[Math.floor(this.random() * values.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** The upstream: knows users by token, and marks every answer with whose it is and which one. */
  readonly upstream = async (url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (this.chance(0.5)) await this.turns(Math.floor(this.random() * 5));
    const fault = this.random();
    if (fault < 0.006) throw new TypeError("connection refused");
    if (fault < 0.015) return new Response("<h1>down</h1>", { status: 503, headers: { "content-type": "text/html" } });
    const user = this.users.find(({ token }) => token === headers.get("authorization"));
    if (user === undefined || user.revoked) return Response.json({ code: 16, message: "no" }, { status: 401 });
    if (user.hidden) return Response.json({ code: 5, message: "gone" }, { status: 404 });
    const path = new URL(url).pathname.slice("/v1/dev".length);
    const endpoint: ReadName = path === "/engines" ? "list" : path.endsWith("/status") ? "status" : "get";
    const noStore = this.chance(0.1);
    const mark = `mark-${user.name}-${this.productions.length}-end`;
    this.productions.push({ user: user.name, endpoint, atMs: this.clock.ms, noStore, delivered: 0 });
    const format = headers.get("accept") === "application/json" || this.chance(0.1) ? "json" : "protobuf";
    const fields = new Headers({ "content-type": format === "json" ? "application/json" : "application/x-protobuf" });
    if (this.chance(0.8)) fields.set(schemaDigestHeader, schemaDigests[endpoints[endpoint].response.typeName] ?? "");
    if (noStore) fields.set("cache-control", "no-store");
    else if (this.chance(0.2))
      fields.set("cache-control", this.pick(["public, s-maxage=600, max-age=5", "private, max-age=3"]));
    if (this.chance(0.3)) fields.set("etag", `"${mark}"`);
    return new Response(bodyOf(endpoint, mark, format), { headers: fields });
  };

  /** What of all that was promised one answer breaks. */
  brokenBy(
    user: User,
    edge: number,
    startedMs: number,
    before: number,
    takesStale: boolean,
    response: Response,
    body: string,
  ): ReadonlyArray<string> {
    const problems: Array<string> = [];
    const shown = `${body}\n${[...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n")}`;
    for (const other of this.users) {
      if (shown.includes(other.token)) problems.push(`shows a token of ${other.name}`);
      if (other !== user && shown.includes(`mark-${other.name}-`)) problems.push(`shows ${other.name} to ${user.name}`);
    }
    const numbers = [...body.matchAll(/mark-[a-z]+-(\d+)-end/g)].map(([, number]) => Number(number));
    for (const number of new Set(numbers)) {
      const production = this.productions[number];
      if (production === undefined) throw new Error(`an answer ${number} that the upstream never gave`);
      const isOwn = number >= before;
      const turnedAway = this.turnedAway.get(user.name);
      const graceMs = turnedAway?.edge === edge ? 0 : purgesReadEveryMs;
      const isAfterTurnedAway =
        turnedAway === undefined || startedMs <= turnedAway.atMs + graceMs || production.atMs > turnedAway.atMs;
      const isAfterPurges = this.purges.every(
        (purge) =>
          (purge.endpoint !== "all" && purge.endpoint !== production.endpoint) ||
          startedMs <= purge.atMs + (purge.edge === edge ? 0 : purgesReadEveryMs) ||
          production.atMs > purge.atMs,
      );
      production.delivered += 1;
      const promised = {
        "is the user's own": production.user === user.name,
        "is not too old": takesStale || this.clock.ms - production.atMs <= longestUseMs[production.endpoint],
        "was not kept against no-store": !production.noStore || (isOwn && production.delivered === 1),
        "is none of an expired token": startedMs < user.expiresAtMs || isOwn,
        "is younger than the last 401": isOwn || isAfterTurnedAway,
        "is younger than the purges": isOwn || isAfterPurges,
        "is private to the next cache": response.headers.get("cache-control")?.startsWith("private") === true,
      };
      const broken = Object.entries(promised).flatMap(([name, holds]) => (holds ? [] : [name]));
      // All of it, so that a failure can be understood from its message.
      const status = response.headers.get("cache-status");
      if (broken.length > 0)
        problems.push(JSON.stringify({ broken, number, production, startedMs, turnedAway, status }));
    }
    return problems;
  }
}

const bodyOf = (endpoint: ReadName, mark: string, format: "json" | "protobuf"): Uint8Array<ArrayBuffer> => {
  const engine: MessageInitShape<typeof EngineSchema> = {
    name: "zipper",
    description: mark,
    platformConfig: { token: mark },
  };
  if (endpoint === "list")
    return encode(EngineListResponseSchema, create(EngineListResponseSchema, { engines: [engine] }), format);
  if (endpoint === "get") return encode(EngineSchema, create(EngineSchema, engine), format);
  return encode(EngineMessageSchema, create(EngineMessageSchema, { engineTag: "zipper", engineStatus: mark }), format);
};
