// Runs of `bne` processes and their output.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { JsonValue } from "@bufbuild/protobuf";
import { decodeJson } from "@bytenite-engines/core/wire";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { resultOf } from "@bytenite-engines/test-kit/process";
import type { Asked, Right } from "./Expected.ts";

const bin = fileURLToPath(new URL("../../../cli/bin/bne.js", import.meta.url));

/** Exit codes of `bne`: see its README. */
const notFound = 3;
const notLoggedIn = 4;

/** Result of a run. */
export interface BneRun {
  readonly came: Right | "refused" | "failed";
  /** The Cache-Status of each answer, in their order. */
  readonly answers: ReadonlyArray<string | null>;
  /** Requests that were sent, at most. */
  readonly sent: number;
}

/** An event of `--trace`, as far as it matters. */
interface TraceEvent {
  readonly type: string;
  readonly status?: number;
  readonly cacheStatus?: string;
}

/** Runs `bne get TAG` or `bne status TAG`; settings and caches are those below `home`. */
export const runBne = async (
  { endpoint, tag }: Extract<Asked, { readonly tag: string }>,
  baseUrl: string,
  token: string,
  home: string,
): Promise<BneRun> => {
  const child = spawn(process.execPath, [bin, ...commandOf(endpoint), tag, "--output", "json", "--trace"], {
    env: { PATH: process.env["PATH"], HOME: home, BYTENITE_BASE_URL: baseUrl, BYTENITE_TOKEN: token },
  });
  const { code, stdout, stderr } = await resultOf(child, "");
  const events = stderr
    .split("\n")
    .flatMap((line) => (line.startsWith('{"time"') ? [JSON.parse(line) as TraceEvent] : []));
  const answers = events.flatMap(({ type, cacheStatus }) => (type === "response" ? [cacheStatus ?? null] : []));
  const unanswered = events.filter(({ type, status }) => type === "retry" && status === undefined).length;
  return {
    came: cameOf(endpoint, code, stdout),
    answers,
    sent: answers.length + unanswered + (code === 0 ? 0 : 1),
  };
};

const commandOf = (endpoint: "get" | "status"): ReadonlyArray<string> =>
  endpoint === "get" ? ["get", "--show-secrets"] : ["status"];

const cameOf = (endpoint: "get" | "status", code: number | null, out: string): BneRun["came"] => {
  if (code === notFound) return "absent";
  if (code === notLoggedIn) return "refused";
  if (code !== 0) return "failed";
  const json = JSON.parse(out) as JsonValue;
  return decodeJson(endpoint === "get" ? EngineSchema : EngineMessageSchema, json).message;
};
