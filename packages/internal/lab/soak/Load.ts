// Requests of the clients during a run.
import { mediaTypeOf, type Format } from "@bytenite-engines/core/wire";
import { createEngineClient, EngineError, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import type { Random } from "@bytenite-engines/test-kit/random";
import { runBne } from "./Bne.ts";
import { engineNames } from "./Changes.ts";
import type { EngineWorld } from "./EngineWorld.ts";
import type { Asked } from "./Expected.ts";
import type { Came, Judge, Observation } from "./Judge.ts";
import type { Ledger } from "./Ledger.ts";
import { RawReader, type RawAnswer } from "./RawReader.ts";
import { outcomeOf, type Outcome } from "./Staleness.ts";
import type { Findings } from "./Findings.ts";
import type { Token, Tokens } from "./Tokens.ts";

/** Calls at once, and the mean time that each caller waits between two, in milliseconds. */
export const callers = 12;
const meanPauseMs = 60;
/** After which time an impatient caller gives up, in milliseconds. */
const patienceMs = 30;

/** Options of the load. */
export interface LoadOptions {
  readonly baseUrl: string;
  readonly world: EngineWorld;
  readonly tokens: Tokens;
  readonly judge: Judge;
  readonly ledger: Ledger;
  readonly findings: Findings;
  readonly random: Random;
  /** Home of the `bne` processes. */
  readonly home: string;
}

/** Sends requests until it is stopped. */
export class Load {
  readonly #given: LoadOptions;
  readonly #clients = new Map<Token, PromiseEngineClient>();
  readonly #raw: RawReader;
  calls = 0;
  processes = 0;
  /** `bne` processes whose answers are not counted yet: each waits for one at a time. */
  processesUnderWay = 0;

  constructor(given: LoadOptions) {
    this.#given = given;
    this.#raw = new RawReader(given.baseUrl, given.ledger.fetch);
  }

  /** All callers, until `isOver`; resolves when the last call has ended. */
  async run(isOver: () => boolean, impatient: boolean): Promise<void> {
    await Promise.all(
      Array.from({ length: callers }, async () => {
        while (!isOver()) {
          await this.#call(impatient);
          await new Promise((resolve) => setTimeout(resolve, this.#given.random.exponential(meanPauseMs)));
        }
      }),
    );
    for (const token of this.#clients.keys()) if (!this.#given.tokens.isUsed(token)) this.#clients.delete(token);
  }

  /** One `bne` process. */
  async process(): Promise<void> {
    const { tokens, random, baseUrl, ledger, home, findings } = this.#given;
    const token = tokens.pick(random);
    const asked = { endpoint: random.pick(["get", "status"] as const), tag: this.#tag() };
    const askedAtMs = Date.now();
    this.processesUnderWay += 1;
    const { came, answers, sent } = await runBne(asked, baseUrl, token.secret, home).finally(() => {
      this.processesUnderWay -= 1;
    });
    ledger.send(sent);
    for (const answer of answers) ledger.answer(answer);
    this.processes += 1;
    if (came === "failed") return findings.fail("bne");
    const known: Came = typeof came === "string" ? { kind: came } : { kind: "message", message: came };
    await this.#judge({ token, asked, askedAtMs, came: known, outcome: outcomeOf(answers.at(-1) ?? null) });
  }

  #tag(): string {
    const { random } = this.#given;
    const name = random.chance(0.03) ? "nothing" : random.pick(engineNames);
    return `${name}${random.pick(["", "", "@0", "@1", "@0.1", "@1.1", "@2.0"])}`;
  }

  #ask(): Asked {
    const { random } = this.#given;
    if (random.chance(0.3)) {
      return {
        endpoint: "list",
        params: {
          isPublic: random.chance(0.3),
          orderBy: random.pick(["createdAt", "name"]),
          limit: random.pick([5, 20]),
          offset: random.pick([0, 0, 5]),
        },
      };
    }
    return { endpoint: random.pick(["get", "get", "status"] as const), tag: this.#tag() };
  }

  async #call(impatient: boolean): Promise<void> {
    const { tokens, random, findings } = this.#given;
    const picked = tokens.pick(random);
    const token = random.chance(0.01) ? tokens.unknown(picked.user) : picked;
    const asked = this.#ask();
    const headers = random.chance(0.05) ? { "cache-control": "no-cache" } : {};
    const signal = impatient && random.chance(0.05) ? AbortSignal.timeout(patienceMs) : undefined;
    const askedAtMs = Date.now();
    this.calls += 1;
    try {
      const { came, outcome } = random.chance(0.3)
        ? await this.#askRaw(token, asked, random.pick(["json", "protobuf"]), headers, signal)
        : await this.#askClient(token, asked, headers, signal);
      if (typeof came === "string") findings.fail(came);
      else await this.#judge({ token, asked, askedAtMs, came, outcome });
    } catch (error) {
      if (signal?.aborted === true) findings.abort();
      else findings.fail(nameOf(error));
    }
  }

  async #judge(observation: Omit<Observation, "answeredAtMs">): Promise<void> {
    const { world, judge, findings } = this.#given;
    const answeredAtMs = Date.now();
    await world.settled();
    const violation = judge.judge({ ...observation, answeredAtMs });
    if (violation === undefined) findings.right(observation.came.kind);
    else findings.wrong(violation);
  }

  async #askRaw(
    token: Token,
    asked: Asked,
    format: Format,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<RawAnswer> {
    return this.#raw.ask({ token, asked, headers: { ...headers, accept: mediaTypeOf(format) }, signal, format });
  }

  async #askClient(
    token: Token,
    asked: Asked,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly came: Came; readonly outcome: Outcome }> {
    const client = this.#client(token).withResponse;
    const options = { headers, ...(signal === undefined ? {} : { signal }) };
    try {
      const answer = await (asked.endpoint === "list"
        ? client.list(asked.params, options)
        : client[asked.endpoint](asked.tag, options));
      const outcome = outcomeOf(answer.headers.get("cache-status"));
      return { came: { kind: "message", message: answer.data }, outcome };
    } catch (error) {
      // Errors are never stored, but they are shared by those who ask at once.
      const outcome = "collapsed";
      const tag = error instanceof EngineError ? error.reason._tag : undefined;
      if (tag === "NotFound") return { came: { kind: "absent" }, outcome };
      if (tag === "Unauthenticated") return { came: { kind: "refused" }, outcome };
      throw error;
    }
  }

  /** A client with the defaults, as `bne` has them. */
  #client(token: Token): PromiseEngineClient {
    const { baseUrl, ledger } = this.#given;
    const known = this.#clients.get(token);
    if (known !== undefined) return known;
    const made = createEngineClient({
      baseUrl,
      token: token.secret,
      format: "auto",
      fetch: ledger.fetch,
      dedupe: false,
      propagateTrace: false,
    });
    if (token.id !== "") this.#clients.set(token, made);
    return made;
  }
}

/** The failure, with the edge's report on its upstream. */
const nameOf = (error: unknown): string =>
  error instanceof EngineError
    ? `${error.reason._tag}${/ \([a-z-]+\)/.exec(error.serverMessage ?? "")?.[0] ?? ""}`
    : (error as Error).name;
