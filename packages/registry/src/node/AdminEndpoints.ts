// Operator endpoints: health, metrics, faults.
import { ApiError } from "../api/ApiError.ts";
import { errorAnswer, type Answer, type Part, type RequestHead } from "../api/Answer.ts";
import { otherMethod, type Web } from "../api/Web.ts";
import { pathIn } from "../api/App.ts";
import type { Handler } from "./HttpServer.ts";
import type { SqlDriver } from "../api/SqlDriver.ts";
import { FieldNumbersError } from "../api/FieldNumbers.ts";
import { FaultRulesError, parseFaultRules } from "../faults/FaultRuleFile.ts";
import type { Faults } from "../faults/Faults.ts";
import { formatOf, rpcCodeOfHttp } from "@bytenite-engines/core/wire";

/** Longest body with fault rules, in bytes. */
const maxRulesBytes = 1_024 * 1_024;

/** State that the health endpoints report. */
export interface HealthOptions {
  readonly sql: SqlDriver;
  readonly draining: () => boolean;
  /** Whether the open database is still the file at its path. */
  readonly inPlace: () => boolean;
  /** What is wrong with the database while reads fail. */
  readonly problem: () => Promise<string | undefined>;
}

/** Parts that operators see and change. */
export interface AdminOptions {
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
  readonly faults: Faults | undefined;
}

/** Answers one path. */
export type Endpoint = (head: RequestHead) => Promise<Answer>;

/**
 * Whether the process lives, and whether it can answer: for everybody. Where only some reads fail,
 * both are 200 and say `degraded`: all else is answered, and a start anew would change nothing.
 */
export const makeHealth = ({ sql, draining, inPlace, problem }: HealthOptions): ReadonlyMap<string, Endpoint> => {
  const well = async (word: string): Promise<Answer> => {
    const found = await problem();
    return plain(200, found === undefined ? `${word}\n` : `degraded: the database fails to read: ${found}\n`);
  };
  return new Map<string, Endpoint>([
    ["/healthz", async (head) => otherMethod(head.method, ["GET"]) ?? well("ok")],
    [
      "/readyz",
      async (head) => {
        const other = otherMethod(head.method, ["GET"]);
        if (other !== undefined) return other;
        if (draining()) return plain(503, "draining\n");
        if (!inPlace()) return plain(503, "the database file was moved, replaced or changed: start again\n");
        try {
          await sql.read([{ sql: "SELECT count(*) AS found FROM migrations", values: [] }]);
        } catch {
          return plain(503, "the database cannot be read\n");
        }
        return well("ready");
      },
    ],
  ]);
};

/** Metrics and faults: on the loopback or admin port only. */
export const makeAdmin = ({ metrics, faults }: AdminOptions): ReadonlyMap<string, Endpoint> =>
  new Map<string, Endpoint>([
    ["/metrics", async (head) => otherMethod(head.method, ["GET"]) ?? plain(200, await metrics(), "metrics")],
    [
      "/faults",
      (head) => (faults === undefined ? Promise.resolve(refused(404, "faults are off")) : onFaults(faults, head)),
    ],
  ]);

/** `GET` shows the rules and their counts, `PUT` sets all of them, `POST` adds some, `DELETE` removes all. */
const onFaults = async (faults: Faults, head: RequestHead): Promise<Answer> => {
  try {
    if (head.method === "DELETE") faults.clear();
    else if (head.method === "PUT" || head.method === "POST") {
      // A page in a browser cannot send this type to another origin without a CORS preflight.
      if (formatOf(head.header("content-type")) !== "json") {
        return refused(415, "rules are sent as application/json");
      }
      const rules = parseFaultRules(new TextDecoder().decode(await head.body(maxRulesBytes)));
      if (head.method === "PUT") faults.set(rules);
      else for (const rule of rules) faults.add(rule);
    } else {
      const other = otherMethod(head.method, ["GET", "PUT", "POST", "DELETE"]);
      if (other !== undefined) return other;
    }
  } catch (error) {
    if (error instanceof ApiError) return refused(error.status, error.message);
    if (error instanceof FaultRulesError || error instanceof FieldNumbersError) return refused(400, error.message);
    throw error;
  }
  const body = JSON.stringify(faults.list());
  return {
    ...plain(200, body, "faults"),
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
  };
};

const plain = (status: number, body: string, part: Part = "health"): Answer => ({
  status,
  headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
  body,
  logFields: { endpoint: part, user: undefined },
});

const refused = (status: number, message: string): Answer =>
  errorAnswer(new ApiError(rpcCodeOfHttp(status), message, { status }));

/** A handler that answers these paths and passes others to the next handler, if there is one. */
export const serving =
  (endpoints: ReadonlyMap<string, Endpoint>, web: Web, next?: Handler): Handler =>
  async (exchange) => {
    const endpoint = endpoints.get(pathIn(exchange.head.target));
    if (endpoint !== undefined) return web.finish(exchange.head, await endpoint(exchange.head));
    return next === undefined ? refused(404, "not found") : next(exchange);
  };
