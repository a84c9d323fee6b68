// Model of what users may see, compared with the proxy.
import { mock } from "node:test";
import { createIsolate, type Isolate } from "../src/Isolate.ts";
import { parseConfig } from "../src/Config.ts";
import { handle } from "../src/Flow.ts";
import { purgesReadEveryMs, type Purge, type PurgeLogStub } from "../src/Purge.ts";
import type { EdgeStore } from "../src/Entry.ts";

/** What a run has found. */
export interface ModelRun {
  readonly steps: number;
  readonly answers: number;
  readonly hits: number;
  readonly problems: ReadonlyArray<string>;
}

const users = ["alice", "bob"] as const;
const engines = ["a", "b"] as const;
const paths = ["/engines", ...engines.flatMap((name) => [`/engines/${name}`, `/engines/${name}/status`])];
const adminSecret = "0123456789abcdef";
const origin = "https://edge.example";
/** Problems after which a run ends, at most. */
const maxProblems = 5;

const keyOf = (key: RequestInfo | URL): string => (key instanceof Request ? key.url : String(key));

/** The Cache API of a data centre. */
const cacheInMemory = (): EdgeStore => {
  const entries = new Map<string, ArrayBuffer>();
  return {
    match: async (key) => {
      const bytes = entries.get(keyOf(key));
      return bytes === undefined ? undefined : new Response(bytes);
    },
    put: async (key, response) => void entries.set(keyOf(key), await response.arrayBuffer()),
    delete: async (key) => entries.delete(keyOf(key)),
  };
};

const configWith = (more: Record<string, string>) =>
  parseConfig({
    UPSTREAM_URL: "http://upstream.example/v1/dev",
    LOG: "off",
    ADMIN_SECRET: adminSecret,
    ATTEMPT_TIMEOUT_MS: "60000",
    DEADLINE_MS: "120000",
    ...more,
  });

/** What must not be seen any more in an isolate: answers that the upstream gave before. */
interface Floor {
  readonly number: number;
  /** Whether they may be used when the upstream fails. */
  readonly isSoft: boolean;
  /** From when on it holds, by the clock. */
  readonly fromMs: number;
  readonly why: string;
}

class World {
  nowMs = 1_700_000_000_000;
  /** Answers of the upstream so far: each carries its number, so that later ones have larger numbers. */
  number = 0;
  /** Users that are revoked, and the number of the last answer before. */
  readonly revoked = new Map<string, number>();
  /** Whether the upstream cannot be reached. */
  isDown = false;
  /** What the upstream refused, by the id of the request that was sent for it. */
  readonly refused = new Map<string, { readonly status: 401 | 404; readonly number: number }>();
  readonly held: Array<() => void> = [];
  readonly random: () => number;
  readonly isolates: ReadonlyArray<{ readonly isolate: Isolate; readonly floors: Map<string, Array<Floor>> }>;
  readonly problems: Array<string> = [];
  /** What happened lately, to understand a problem by. */
  readonly events: Array<string> = [];
  /** Users and isolates that have stored something of theirs since their last 401. */
  readonly stored = new Set<string>();
  requests = 0;
  answers = 0;
  hits = 0;

  constructor(random: () => number) {
    this.random = random;
    const records: Array<Purge> = [];
    const log: PurgeLogStub = {
      append: async (purge) => records.push(purge),
      since: async (number) => ({ purges: records.slice(number), last: records.length }),
    };
    const data = cacheInMemory();
    // Two isolates of one data centre, one of them with almost no capacity, and one elsewhere.
    this.isolates = [
      { store: data, variables: {} },
      { store: data, variables: { MEMORY_ENTRIES: "2" } },
      { store: undefined, variables: {} },
    ].map(({ store, variables }) => ({
      isolate: createIsolate({
        config: configWith(variables),
        fetch: (url, init) => this.upstream(url, init),
        store,
        purgeLog: () => log,
        now: () => this.nowMs,
      }),
      floors: new Map(),
    }));
  }

  pick<A>(values: ReadonlyArray<A>): A {
    return values[Math.floor(this.random() * values.length)] as A;
  }

  async upstream(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const user = headers.get("authorization") ?? "";
    const path = new URL(url).pathname.slice("/v1/dev".length);
    const number = ++this.number;
    const id = headers.get("x-request-id") ?? "";
    // Between isolates time is all there is to order answers by.
    this.nowMs += 1;
    this.note(user, path, `asked upstream: ${number} for ${id}`);
    const chance = this.random();
    const isRevoked = this.revoked.has(user);
    if (this.isDown) throw new TypeError("no connection");
    if (this.random() < 0.15) await new Promise<void>((resolve) => this.held.push(resolve));
    if (init.signal?.aborted === true) throw new TypeError("nobody waits");
    const refuse = (status: 401 | 404): Response => {
      this.refused.set(id, { status, number });
      return Response.json({ code: status === 401 ? 16 : 5 }, { status });
    };
    if (isRevoked) return refuse(401);
    if (chance < 0.03) return refuse(404);
    if (chance < 0.05) return new Response("{", { status: 206 });
    const body = { name: path.split("/")[2] ?? "", description: `${user} ${number}`, engines: [] };
    const fields: Record<string, string> = {};
    if (chance > 0.9) fields["cache-control"] = "no-store";
    else if (chance > 0.8) fields["cache-control"] = "max-age=1";
    return Response.json(body, { headers: fields });
  }

  note(user: string, path: string, event: string): void {
    this.events.push(`${user} ${path} at ${this.nowMs % 1_000_000}: ${event}`);
    if (this.events.length > 2_000) this.events.splice(0, 1_000);
  }

  /** Answers with numbers up to now, or up to a number, must not be seen any more by a user at these paths. */
  forbid(
    user: string,
    isAt: (path: string) => boolean,
    index: number,
    why: string,
    { number = this.number, isSoft = false, isElsewhere = true } = {},
  ): void {
    for (const [each, { floors }] of this.isolates.entries()) {
      if (each !== index && !isElsewhere) continue;
      const fromMs = this.nowMs + (each === index ? 0 : purgesReadEveryMs + 1);
      for (const path of paths.filter(isAt)) {
        const key = `${user} ${path}`;
        const before = (floors.get(key) ?? []).filter(
          (old) => old.fromMs > this.nowMs || old.number > number || (isSoft && !old.isSoft),
        );
        floors.set(key, [...before, { number, isSoft, fromMs, why }]);
      }
    }
  }

  async read(): Promise<void> {
    const index = Math.floor(this.random() * this.isolates.length);
    const { isolate, floors } = this.isolates[index] ?? this.pick(this.isolates);
    const user = this.pick(users);
    const path = this.pick(paths);
    const key = `${user} ${path}`;
    const startedMs = this.nowMs;
    const startedNumber = this.number;
    const applying = (floors.get(key) ?? []).filter(({ fromMs }) => fromMs <= startedMs);
    const control = this.random() < 0.2 ? { "cache-control": "no-cache" } : {};
    const headers = { authorization: user, accept: "application/json", ...control };
    const revokedSince = this.revoked.get(user);
    const response = await this.send(isolate, new Request(`${origin}/v1/dev${path}`, { headers }), index);
    this.answers += 1;
    const text = await response.text();
    const status = response.headers.get("cache-status") ?? "";
    const shown = /(\w+ \d+)"/.exec(text)?.[1] ?? "";
    this.note(user, path, `isolate ${index} answered ${response.status} ${shown} (${status})`);
    const said = /"description":"(\w+) (\d+)"/.exec(text);
    if (said === null) return;
    const number = Number(said[2]);
    const show = (why: string): void => {
      const before = this.events.filter((event) => event.startsWith(`${key} `)).slice(-14);
      const what = `${user} got answer ${number} of ${said[1]} at ${path} from isolate ${index} (${status})`;
      this.problems.push(`${what}: ${why}; before:\n${before.join("\n")}`);
    };
    if (said[1] !== user) show("it is another user's");
    if (revokedSince !== undefined && revokedSince === this.revoked.get(user) && number > revokedSince) {
      show(`it was revoked at ${revokedSince}`);
    }
    if ("cache-control" in control && number <= startedNumber && !status.includes("stale-if-error")) {
      show(`no-cache was sent after answer ${startedNumber}`);
    }
    // Who waits for an answer that was asked for before still gets it; what is stored must be newer.
    if (/; hit|stale-if-error/.test(status)) {
      this.hits += 1;
      const isFailing = status.includes("stale-if-error");
      for (const floor of applying) {
        if (number <= floor.number && !(floor.isSoft && isFailing)) show(`after ${floor.why} at ${floor.number}`);
      }
    }
    if (status.includes("; stored")) this.stored.add(`${user} ${index}`);
    if (/; hit|stored/.test(status)) {
      const before = (floors.get(key) ?? []).find(({ why }) => why === "a newer answer");
      if (before === undefined || before.number < number - 1) {
        const others = (floors.get(key) ?? []).filter(({ why }) => why !== "a newer answer");
        // The same answer may be seen again, an older one not.
        floors.set(key, [...others, { number: number - 1, isSoft: false, fromMs: 0, why: "a newer answer" }]);
      }
    }
  }

  async write(): Promise<void> {
    const index = Math.floor(this.random() * this.isolates.length);
    const { isolate } = this.isolates[index] ?? this.pick(this.isolates);
    const user = this.pick(users);
    const name = this.pick(engines);
    const url = `${origin}/v1/dev/engines/${name}/activate`;
    const response = await this.send(
      isolate,
      new Request(url, { method: "POST", headers: { authorization: user } }),
      index,
    );
    await response.text();
    if (response.status !== 200) return;
    const isChanged = (path: string): boolean => path === "/engines" || path.startsWith(`/engines/${name}`);
    this.forbid(user, isChanged, index, "a write");
  }

  async purge(): Promise<void> {
    const index = Math.floor(this.random() * this.isolates.length);
    const { isolate } = this.isolates[index] ?? this.pick(this.isolates);
    const name = this.pick([...engines, "", "token"]);
    const ofToken = name === "token" ? this.pick(users) : undefined;
    const isSoft = ofToken === undefined && this.random() < 0.5;
    const query =
      ofToken !== undefined ? "" : `?${name === "" ? "all=true" : `tag=${name}`}${isSoft ? "" : "&hard=true"}`;
    const init = { method: "POST", headers: { authorization: adminSecret } };
    const body = ofToken === undefined ? {} : { body: new URLSearchParams({ token: ofToken }) };
    // What is asked for while a purge is under way may be newer than it.
    const { number } = this;
    const response = await this.send(isolate, new Request(`${origin}/-/purge${query}`, { ...init, ...body }), index);
    if (response.status !== 200) this.problems.push(`a purge was answered ${response.status}`);
    for (const user of ofToken === undefined ? users : [ofToken]) {
      const isPurged = (path: string): boolean =>
        name === "" || name === "token" || path.startsWith(`/engines/${name}`);
      this.forbid(user, isPurged, index, `a ${isSoft ? "soft" : "hard"} purge`, { number, isSoft });
    }
  }

  /** Sends a request. Once all work for it has ended, what the upstream refused it with is known to the isolate. */
  async send(isolate: Isolate, request: Request, index: number): Promise<Response> {
    const id = `request-${this.requests++}`;
    request.headers.set("x-request-id", id);
    const work: Array<Promise<unknown>> = [];
    const ended = async (response: Response): Promise<void> => {
      while (work.length > 0) await Promise.allSettled(work.splice(0));
      const refusal = this.refused.get(id);
      this.refused.delete(id);
      if (refusal === undefined) return;
      // A write whose answer breaks off is none that was refused.
      if (request.method === "POST" && response.status !== refusal.status) return;
      const { status, number } = refusal;
      const user = request.headers.get("authorization") ?? "";
      const path = new URL(request.url).pathname.slice("/v1/dev".length);
      // An isolate tells the others of tokens that it has had answers of.
      if (status === 401) {
        this.forbid(user, () => true, index, `a 401 to ${request.method}`, {
          number,
          isElsewhere: this.stored.delete(`${user} ${index}`),
        });
      }
      // Other isolates keep what they have as long as it lives.
      if (status === 404 && request.method === "GET")
        this.forbid(user, (each) => each === path, index, "a 404", { number, isElsewhere: false });
    };
    const response = await handle(request, isolate, { waitUntil: (promise) => void work.push(promise) });
    void ended(response);
    return response;
  }

  /** Moves the clock, and what waits for it. */
  pass(ms: number): void {
    this.nowMs += ms;
    mock.timers.tick(ms);
  }
}

/** Turns of the event loop that a request gets before the next step: more than one that does not wait for the upstream needs. */
const turnsForRequest = 200;

/** Runs random steps; ends early after some problems. */
export const runModel = async (random: () => number, steps: number): Promise<ModelRun> => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    return await runWorld(new World(random), steps);
  } finally {
    mock.timers.reset();
  }
};

/** Turns that the body of an answer takes. */
const turnsForBody = 20;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const runWorld = async (world: World, steps: number): Promise<ModelRun> => {
  const underWay = new Set<Promise<void>>();
  let step = 0;
  for (; step < steps && world.problems.length < maxProblems; step++) {
    const chance = world.random();
    if (chance < 0.1) {
      const at = Math.floor(world.random() * world.held.length);
      world.held.splice(at, 1)[0]?.();
      // Its body is read before time passes.
      for (let turns = 0; turns < turnsForBody; turns++) await turn();
    } else if (chance < 0.16) {
      world.pass(world.pick([1, 50, 900, 5_100, 70_000]));
    } else if (chance < 0.165) {
      const user = world.pick(users);
      if (!world.revoked.delete(user)) world.revoked.set(user, ++world.number);
    } else if (chance < 0.175) {
      world.isDown = !world.isDown && world.random() < 0.3;
    } else {
      const work = chance < 0.205 ? world.write() : chance < 0.225 ? world.purge() : world.read();
      const ended: Promise<void> = work.finally(() => underWay.delete(ended));
      underWay.add(ended);
      const held = world.held.length;
      for (let turns = 0; turns < turnsForRequest && underWay.has(ended) && world.held.length === held; turns++) {
        await turn();
      }
    }
    // Steps of one moment would purge each other.
    world.pass(1);
    if (underWay.size > 30) {
      for (const release of world.held.splice(0)) release();
      for (let turns = 0; turns < turnsForBody; turns++) await turn();
      world.pass(1_000);
    }
  }
  while (underWay.size > 0) {
    for (const release of world.held.splice(0)) release();
    world.pass(1_000);
    await Promise.race([...underWay, turn()]);
  }
  return { steps: step, answers: world.answers, hits: world.hits, problems: world.problems };
};
