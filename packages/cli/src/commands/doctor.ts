// `bne doctor`: checks of connection, login and protocol.
import { resolve } from "node:path";
import type { ClientOptions } from "@bytenite-engines/core/promise";
import { basePath } from "@bytenite-engines/core/wire";
import { tokenOption, fetchOf, httpFetch } from "../client/Client.ts";
import {
  checkCache,
  checkClock,
  checkHints,
  checkLatency,
  checkMediaType,
  isAnswer,
  type PlainAnswer,
  keyOf,
  latencyRounds,
  plainAnswers,
  checkName,
  checkTls,
} from "../doctor/Connection.ts";
import { checkShape, found, isWell, summed, verdict, type Check } from "../doctor/Check.ts";
import { writeProto, checkSchema, type SchemaEvidence, inferSchema } from "../doctor/Schema.ts";
import { exitCodes, isEngineError } from "../Errors.ts";
import { failureOf } from "../Failure.ts";
import { isOn, textOf, type Invocation } from "../Invocation.ts";
import { openOutput, outputOptions } from "../output/Output.ts";
import type { Credentials } from "../config/Credentials.ts";
import { keepProfile } from "../config/FieldNumberFiles.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes } = invocation;
  const baseUrl = settings.text("baseUrl") ?? "";
  const checks: Array<Check> = [];
  const writer = await openOutput(
    invocation,
    checkShape(() => ({ baseUrl, well: isWell(checks) })),
    false,
  );
  notes.progress(`looking at ${baseUrl}`);
  const evidence = await examined(invocation, new URL(baseUrl), (...more) => void checks.push(...more));
  notes.progress(undefined);
  const options = outputOptions(invocation);
  const isShort = options.form === "table" && options.jq === undefined && !isOn(invocation, "verbose");
  // Written at once, so that the columns fit all rows.
  await writer.write((isShort ? summed(checks) : checks).map((check) => ({ json: { ...check } })));
  await writer.end();
  if (options.form === "table" && options.jq === undefined) await invocation.stdout.write(`${verdict(checks)}\n`);
  const file = textOf(invocation, "emit-proto");
  if (file !== undefined) for (const said of writeProto(resolve(invocation.cwd, file), evidence)) notes.note(said);
  return isWell(checks) ? exitCodes.ok : exitCodes.notMet;
};

type Report = (...checks: ReadonlyArray<Check>) => void;

/** Runs the checks in order; those that depend on a failed one are skipped. */
const examined = async (invocation: Invocation, url: URL, report: Report): Promise<SchemaEvidence | undefined> => {
  const { signal, settings } = invocation;
  const proxy = httpFetch().proxyOf(url.href);
  const name = await checkName(new URL(proxy ?? url), proxy !== undefined);
  const tls =
    proxy !== undefined && url.protocol === "https:"
      ? found("tls", "unknown", `not looked at: requests go through the proxy ${proxy}`)
      : name.state === "ok"
        ? await checkTls(url, Number(settings.of("deadline").value), signal)
        : found("tls", "skipped", "there is no address");
  report(name, tls);
  const key = await keyOf(invocation);
  const answers = name.state === "ok" ? await plainAnswers(invocation, url, key.token) : [];
  const [first] = answers;
  const isRefused = key.check.state === "ok" && first !== undefined && isAnswer(first) && first.status === 401;
  report(isRefused ? { ...key.check, state: "failed", detail: `${key.check.detail}; not accepted` } : key.check);
  if (first === undefined || !isAnswer(first)) {
    report(
      found("answer", name.state === "ok" ? "failed" : "skipped", first?.problem ?? "there is no address"),
      found("schema", "skipped", "there is no answer"),
    );
    return undefined;
  }
  const plain = answers.filter(isAnswer);
  report(
    accepted(url, first, key.found),
    checkLatency(answers.slice(0, latencyRounds).filter(isAnswer)),
    ...(first.status === 200
      ? answers.slice(latencyRounds - 1).map(checkMediaType)
      : [found("media type", "skipped", "there is no good answer to compare")]),
    checkClock(plain.at(-1) ?? first),
    checkCache(plain.at(-1) ?? first),
    checkHints(plain),
  );
  if (first.status !== 200) {
    report(found("schema", "skipped", "there is no good answer to compare"));
    return undefined;
  }
  return schemaOf(invocation, url, key.found, report);
};

const accepted = (url: URL, answer: PlainAnswer, key: Credentials | undefined): Check => {
  const { status } = answer;
  if (status === 200) {
    const body = checkMediaType(answer);
    return body.state === "failed" ? { ...body, check: "answer" } : found("answer", "ok", "200 to a list");
  }
  const refused = key !== undefined && (status === 401 || status === 403);
  const why = refused ? `the ${key.kind} is not accepted` : wrongAddress(url, answer);
  return found("answer", "failed", `${status}${why === undefined ? "" : `: ${why}`}`);
};

/** What a status says of the base URL. */
const wrongAddress = ({ href, origin }: URL, { status, headers }: PlainAnswer): string | undefined => {
  if (status === 404 && !href.startsWith(origin + basePath))
    return `does the base URL lack its path? It looks like ${origin}${basePath}`;
  const location = headers.get("location") ?? "";
  if (status < 300 || status >= 400 || !URL.canParse(location, href)) return undefined;
  const { origin: target, pathname } = new URL(location, href);
  return `redirects to ${target}${pathname.replace(/\/engines$/, "")}; is that the server? Then set --base-url to it`;
};

const schemaOf = async (
  invocation: Invocation,
  url: URL,
  key: Credentials | undefined,
  report: Report,
): Promise<SchemaEvidence | undefined> => {
  const { settings, notes, signal, directories } = invocation;
  const token = await tokenOption(key, directories.cache);
  const options: ClientOptions = {
    deadlineMs: Number(settings.of("deadline").value),
    retry: { maxAttempts: Number(settings.of("attempts").value) },
    onEvent: notes.event,
    ...(token === undefined ? {} : { token }),
  };
  try {
    const evidence = await inferSchema(
      { ...options, baseUrl: url.href, fetch: fetchOf(invocation, true) },
      Date.now(),
      signal,
      (text) => notes.progress(text),
    );
    report(...checkSchema(evidence));
    await keepProfile(directories.cache, evidence.profile).catch(() =>
      notes.note("What was learned could not be kept."),
    );
    return evidence;
  } catch (error) {
    if (!isEngineError(error)) throw error;
    report(found("schema", "failed", failureOf(error).message));
    return undefined;
  }
};
