// bne raw: any request to the API.
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import { createRawClient, errorOf, type RawResponse } from "@bytenite-engines/core/exchange";
import { boundedBytes, formatOf } from "@bytenite-engines/core/wire";
import { accessToken, credentials, fetchOf } from "../client/Client.ts";
import { exitCodes } from "../Errors.ts";
import { reasonOf } from "../config/Files.ts";
import { isOn, positional, textOf, wordsOf, type Invocation } from "../Invocation.ts";
import { redactJsonText } from "../output/EngineShape.ts";
import { pageOutput } from "../output/Output.ts";
import { prettyJson } from "../output/TextWriters.ts";
import { type bodyForms, rawMethods } from "../parse/EngineCommands.ts";
import { safeLines, safeText } from "../terminal/SafeText.ts";

/** Largest body from stdin, in bytes. */
const maxBodyBytes = 67_108_864;

/** Request. */
interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes } = invocation;
  const form = formOfBody(invocation);
  pageOutput(invocation);
  const request = await requestOf(invocation);
  const found = await credentials(invocation);
  let token = found === undefined ? undefined : await accessToken(invocation, found);
  const send = senderOf(invocation, form, request);
  let { url } = request;
  for (;;) {
    notes.progress(`asking for ${url}`);
    let answer = await send(url, token);
    if (answer.status === 401 && found?.kind === "api-key") {
      token = await accessToken(invocation, found, { refused: token });
      answer = await send(url, token);
    }
    notes.progress(undefined);
    if (isOn(invocation, "include")) tellHead(invocation, url, answer);
    await writeBody(invocation, form, answer.headers.get("content-type"), answer.bytes);
    if (answer.status >= 400) throw errorOf(answer, token).with({ method: request.method });
    if (answer.status >= 300) {
      throw new UserError(`${new URL(url).host} answers ${answer.status}, a redirect`, exitCodes.undecodable);
    }
    const next = isOn(invocation, "all") ? nextPage(url, answer) : undefined;
    if (next === undefined) return exitCodes.ok;
    url = next;
  }
};

/** Form of a JSON body. */
type BodyForm = (typeof bodyForms)[number];

const formOfBody = (invocation: Invocation): BodyForm => {
  const form = (textOf(invocation, "output") ?? "json") as BodyForm;
  if (form === "json" || textOf(invocation, "jq") === undefined) return form;
  throw new UsageError(`--jq works on JSON, not on --output ${form}`, "Leave out --output.");
};

const requestOf = async (invocation: Invocation): Promise<RawRequest> => {
  const { settings, arguments: given } = invocation;
  const fields = wordsOf(invocation, "field") ?? [];
  const input = textOf(invocation, "input");
  if (fields.length > 0 && input !== undefined) throw new UsageError("--field and --input exclude each other");
  const words = given.positionals;
  const named = words.length > 1 ? positional(invocation, 0).toUpperCase() : undefined;
  const method = named ?? (input === undefined ? "GET" : "POST");
  if (!(rawMethods as ReadonlyArray<string>).includes(method)) {
    throw new UsageError(
      `There is no method ${JSON.stringify(method.slice(0, 20))}`,
      `There are ${rawMethods.join(", ")}.`,
    );
  }
  const isRead = method === "GET" || method === "HEAD" || method === "OPTIONS";
  if (isRead && input !== undefined)
    throw new UsageError(`${method} has no body`, "--input goes with POST, PUT or PATCH.");
  if (isOn(invocation, "all") && method !== "GET") throw new UsageError("--all goes with GET");
  const path = words.at(-1) ?? "";
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(path)) {
    throw new UsageError(
      "PATH is a path below the base URL, not a URL",
      "Leave out what stands before /engines; --base-url names another server.",
    );
  }
  const url = new URL(below(settings.text("baseUrl") ?? "", path));
  if (isRead) for (const field of fields) url.searchParams.append(...pairOf(field));
  const isJson = !isRead && fields.length > 0;
  return {
    method,
    url: url.href,
    contentType: isJson || input !== undefined ? (textOf(invocation, "content-type") ?? "application/json") : undefined,
    body: isJson
      ? Buffer.from(JSON.stringify(Object.fromEntries(fields.map(pairOf).map(([name, text]) => [name, valueIn(text)]))))
      : input === undefined
        ? undefined
        : await bytesIn(invocation, input),
  };
};

const pairOf = (field: string): [name: string, value: string] => {
  const at = field.indexOf("=");
  return [field.slice(0, at), field.slice(at + 1)];
};

/** true, false, null and numbers are what they look like; numbers that JSON would change stay text. */
const valueIn = (text: string): unknown => {
  if (["true", "false", "null"].includes(text)) return JSON.parse(text) as unknown;
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) && String(Number(text)) === text ? Number(text) : text;
};

const bytesIn = async ({ cwd, stdin }: Invocation, path: string): Promise<Uint8Array<ArrayBuffer>> => {
  if (path !== "-") {
    try {
      return readFileSync(resolve(cwd, path));
    } catch (error) {
      throw new UsageError(`Cannot read ${path}: ${reasonOf(error, "read")}`);
    }
  }
  const bytes = await boundedBytes(stdin as AsyncIterable<Buffer>, maxBodyBytes);
  if (bytes === undefined) throw new UsageError(`stdin is larger than ${maxBodyBytes} bytes`);
  return bytes;
};

/** A GET is tried like any call; anything else is sent once. */
const senderOf = (
  invocation: Invocation,
  form: BodyForm,
  { method, contentType, body }: RawRequest,
): ((url: string, token: string | undefined) => Promise<RawResponse>) => {
  const { settings, notes, signal } = invocation;
  const deadlineMs = Number(settings.of("deadline").value);
  const headersFor = (token: string | undefined): Record<string, string> => ({
    accept: textOf(invocation, "accept") ?? (form === "protobuf" ? "application/x-protobuf" : "application/json"),
    ...(contentType === undefined ? {} : { "content-type": contentType }),
    ...(token === undefined ? {} : { authorization: token }),
  });
  const exchanger = createRawClient({
    deadlineMs,
    retry: { maxAttempts: method === "GET" ? Number(settings.of("attempts").value) : 1 },
    fetch: fetchOf(invocation),
    onEvent: notes.event,
  });
  return (url, token) =>
    exchanger.send({
      url,
      method,
      ...(body === undefined ? {} : { body }),
      headers: headersFor(token),
      endpoint: "list",
      signal,
    });
};

const tellHead = ({ notes }: Invocation, url: string, { status, headers }: RawResponse): void => {
  const { host } = new URL(url);
  const all: Record<string, string> = {};
  headers.forEach((value, name) => void (all[name] = value));
  if (notes.verbosity.json) return notes.line(JSON.stringify({ type: "response", status, host, headers: all }));
  notes.line(`${status} ${host}`);
  for (const [name, value] of Object.entries(all)) notes.line(safeText(`${name}: ${value}`));
};

/** The URL of the page behind one, when its JSON says that there is one. */
const nextPage = (url: string, { bytes }: RawResponse): string | undefined => {
  try {
    const { pagination, ...rest } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const list = Object.values(rest).find((value) => Array.isArray(value)) as ReadonlyArray<unknown> | undefined;
    const { hasNext } = (pagination ?? {}) as { hasNext?: unknown };
    if (hasNext !== true || list === undefined || list.length === 0) return undefined;
    const next = new URL(url);
    const offset = Number(next.searchParams.get("pagination.offset") ?? 0) + list.length;
    next.searchParams.set("pagination.offset", String(offset));
    return next.href;
  } catch {
    return undefined;
  }
};

/** The URL of a path below the base URL; it must not lead out of it. */
const below = (baseUrl: string, path: string): string => {
  const base = baseUrl.replace(/\/+$/, "");
  const url = new URL(`${base}${path.startsWith("/") ? "" : "/"}${path}`);
  const { origin, pathname } = new URL(base);
  if (url.origin === origin && `${url.pathname}/`.startsWith(`${pathname.replace(/\/+$/, "")}/`)) return url.href;
  throw new UsageError(`${JSON.stringify(path)} is not a path below ${base}`, "It looks like /engines?isPublic=true");
};

const writeBody = async (
  invocation: Invocation,
  form: BodyForm,
  contentType: string | null,
  bytes: Uint8Array,
): Promise<void> => {
  const { stdout, terminal } = invocation;
  const text = textIn(contentType, bytes);
  const expression = textOf(invocation, "jq");
  if (text === undefined) {
    if (expression !== undefined) throw new UsageError("--jq works on JSON, and the body is binary");
    if (terminal.isTTY)
      throw new UsageError("The body is binary and not for a terminal", "Send it to a file or into a pipe.");
    return stdout.write(bytes);
  }
  const whole = isOn(invocation, "show-secrets") ? text : redactJsonText(text);
  const isOfJson = formatOf(contentType) === "json";
  const shown =
    expression === undefined
      ? isOfJson
        ? await converted(whole, form)
        : whole
      : (await (await import("../output/JqFilter.ts")).jqOf(expression))(whole);
  if (!terminal.isTTY) return stdout.write(shown);
  const safe = safeLines(shown);
  const isJson = expression === undefined && form === "json" && isOfJson;
  await stdout.write(isJson ? prettyJson(safe, terminal.colour) : safe.endsWith("\n") ? safe : `${safe}\n`);
};

/** A JSON body in another form; other bodies unchanged. */
const converted = async (text: string, form: BodyForm): Promise<string> => {
  if (form !== "ndjson" && form !== "yaml") return text;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
  return form === "ndjson" ? `${JSON.stringify(value)}\n` : (await import("../output/YamlWriter.ts")).yamlOf(value);
};

const textIn = (contentType: string | null, bytes: Uint8Array): string | undefined => {
  if (formatOf(contentType) === "protobuf") return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
};
