// Test clients: one interface for core and plain HTTP.
import { fromBinary, fromJson, type DescMessage, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { createEngineClient as createJsonClient, type JsonEngineClient } from "@bytenite-engines/core/json";
import { createEngineClient, EngineError } from "@bytenite-engines/core/promise";
import {
  decode,
  encodeJson,
  endpoints,
  formatOf,
  mediaTypeOf,
  readNames,
  rpcCodeOf,
  schemaDigestHeader,
  schemaDigests,
  type Format,
  type ReadName,
} from "@bytenite-engines/core/wire";
import { StatusSchema } from "@bytenite-engines/proto";
import type { Call, Expected, Refusal, Seeds, WireCase } from "./Case.ts";
import { tokenOf } from "./Engines.ts";
import { exchange, type Answered } from "./Exchange.ts";

/** Result: the JSON of the data as text, keys in their order, or a refusal. */
export type Outcome = { readonly json: string } | { readonly refused: Partial<Refusal> };

/** A client for wire cases, in one of the two formats. */
export interface TestClient {
  readonly name: string;
  readonly isProxy: boolean;
  /** Undefined: this client cannot make the request. */
  readonly send: (wireCase: WireCase) => Promise<Outcome> | undefined;
  /** The expected outcome, as this client reports it. */
  readonly expects: (expected: Expected, seeds: Seeds) => Outcome;
}

const tokenFor = (who: WireCase["as"]): string | undefined => {
  if (who === "nobody") return undefined;
  return who === "stranger" ? "conformance-stranger" : tokenOf(who ?? "alice");
};

/** Core, as a program uses it; `auto` asks for protobuf. */
export const coreClient = (name: string, baseUrl: string, format: Format, isProxy: boolean): TestClient => ({
  ...throughCore(format, (token) =>
    createEngineClient({ baseUrl, format: format === "protobuf" ? "auto" : format, ...token }),
  ),
  name: `core, ${format}, ${name}`,
  isProxy,
});

/** The JSON entry of core. */
export const jsonClient = (name: string, baseUrl: string, isProxy: boolean): TestClient => ({
  ...throughCore("json", (token) => createJsonClient({ baseUrl, ...token })),
  name: `core, JSON entry, ${name}`,
  isProxy,
});

const throughCore = (
  format: Format,
  open: (token: { readonly token?: string }) => JsonEngineClient,
): Pick<TestClient, "send" | "expects"> => ({
  send: ({ call, as }) => {
    const token = tokenFor(as);
    return call === undefined ? undefined : outcomeOf(open(token === undefined ? {} : { token }), call, format);
  },
  expects: (expected, seeds) =>
    "data" in expected ? { json: JSON.stringify(expected.data(seeds)) } : { refused: expected.refused },
});

const outcomeOf = async (client: JsonEngineClient, call: Call, format: Format): Promise<Outcome> => {
  try {
    const { data, format: travelled, requests } = await callOf(client, call);
    // One request: the digest of our servers verifies their protobuf at once.
    if (travelled !== format || requests !== 1) throw new Error(`came as ${travelled} after ${requests} requests`);
    return { json: JSON.stringify(encodeJson(endpoints[call.endpoint].response as DescMessage, data)) };
  } catch (error) {
    return refusalOf(error);
  }
};

const callOf = (client: JsonEngineClient, call: Call) =>
  call.endpoint === "list"
    ? client.withResponse.list(call.params)
    : client.withResponse[call.endpoint](call.tag, call.params);

/** Plain HTTP, as anything else uses it. */
export const httpClient = (name: string, baseUrl: string, format: Format, isProxy: boolean): TestClient => ({
  name: `HTTP, ${format}, ${name}`,
  isProxy,
  send: ({ target, method, headers, as, expected }) => {
    if (target === undefined) return undefined;
    const token = tokenFor(as);
    const sent = {
      accept: mediaTypeOf(format),
      ...(token === undefined ? {} : { authorization: token }),
      ...headers,
    };
    return exchange(baseUrl, target, sent, method).then((answered) =>
      read(answered, target, format, "data" in expected),
    );
  },
  expects: (expected, seeds) => {
    if ("data" in expected) return { json: JSON.stringify(expected.data(seeds)) };
    const { status, code } = expected.refused;
    return { refused: { status, code } };
  },
});

/** The paths of each endpoint, as a reader of the documents would write them. */
const paths: Readonly<Record<ReadName, RegExp>> = {
  list: /^\/engines$/,
  get: /^\/engines\/[^/]+$/,
  status: /^\/engines\/[^/]+\/status$/,
};

/** The endpoint that a target belongs to. */
const endpointOf = (target: string): ReadName => {
  const [path = ""] = target.split("?");
  const found = readNames.find((name) => paths[name].test(path));
  if (found === undefined) throw new Error(`no endpoint has the path ${path}`);
  return found;
};

const read = (answered: Answered, target: string, format: Format, wanted: boolean): Outcome => {
  const { status, headers, body } = answered;
  const said = formatOf(headers["content-type"]);
  if (said !== format)
    throw new Error(`answered ${status} as ${headers["content-type"]}: ${body.toString().slice(0, 200)}`);
  const vary = `${headers.vary}`.toLowerCase().split(/\s*,\s*/);
  if (!vary.includes("accept")) throw new Error(`Vary is ${headers.vary}`);
  if (status !== 200) {
    if (wanted) throw new Error(`refused with ${status}: ${body.toString().slice(0, 300)}`);
    return { refused: { status, code: rpcCodeOf(statusIn(body, format)) ?? "UNKNOWN" } };
  }
  const schema: DescMessage = endpoints[endpointOf(target)].response;
  if (headers[schemaDigestHeader.toLowerCase()] !== schemaDigests[schema.typeName]) throw new Error("no schema digest");
  if (format === "json") return { json: JSON.stringify(JSON.parse(body.toString()) as JsonObject) };
  // Strictly ours: no field that the contract does not know.
  const message = fromBinary(schema, body);
  if (message.$unknown !== undefined) throw new Error(`unknown fields in ${schema.typeName}`);
  return { json: JSON.stringify(encodeJson(schema, message)) };
};

const statusIn = (body: Buffer, format: Format): number => {
  if (format === "protobuf") return decode(StatusSchema, body, "protobuf").code;
  const json = JSON.parse(body.toString()) as JsonObject;
  if (Object.keys(json).join() !== "code,message,details") throw new Error(`a Status with ${Object.keys(json).join()}`);
  return fromJson(StatusSchema, json as JsonValue).code;
};

/** The failure of a call of core, as the tables write it; throws any other error. */
export const refusalOf = (error: unknown) => {
  if (!(error instanceof EngineError)) throw error;
  const { status, code, reason } = error;
  return {
    refused: {
      reason: reason._tag,
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
    },
  };
};
