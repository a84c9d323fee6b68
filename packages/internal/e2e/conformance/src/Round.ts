// All calls in random order, compared with the JSON of the server.
import type { DescMessage } from "@bufbuild/protobuf";
import { createEngineClient, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { encodeJson, endpoints, type EndpointName } from "@bytenite-engines/core/wire";
import type { Random } from "@bytenite-engines/test-kit/random";
import { shuffled } from "./Numberings.ts";

/** Result of a call. */
interface Called {
  readonly json: string;
  readonly format: string;
  readonly requests: number;
}

type Call = readonly [name: string, call: (client: PromiseEngineClient) => Promise<Called>];

/** A call, and the JSON of its true answer. */
export type TrueCall = readonly [...Call, json: string];

/** Result of a round. */
export interface Round {
  /** Names of the calls with a wrong answer. */
  readonly wrong: ReadonlyArray<string>;
  /** Number of protobuf answers. */
  readonly protobuf: number;
  /** How many of these with one request. */
  readonly regained: number;
  readonly requests: number;
}

const called = (
  endpoint: EndpointName,
  { data, format, requests }: { data: unknown; format: string; requests: number },
): Called => ({
  json: JSON.stringify(encodeJson(endpoints[endpoint].response as DescMessage, data as never)),
  format,
  requests,
});

const callsFor = (tags: ReadonlyArray<string>): ReadonlyArray<Call> => [
  ...[0, 2, 4].map((offset): Call => [
    `list from ${offset}`,
    async (client) => called("list", await client.withResponse.list({ limit: 2, offset })),
  ]),
  ...tags.flatMap((tag): ReadonlyArray<Call> => [
    [`get ${tag}`, async (client) => called("get", await client.withResponse.get(tag))],
    [`status ${tag}`, async (client) => called("status", await client.withResponse.status(tag))],
  ]),
];

const tagsOf = async (client: PromiseEngineClient): Promise<ReadonlyArray<string>> => {
  const tags: Array<string> = [];
  for await (const { name, version } of client.listAll()) tags.push(`${name}@${version}`);
  return tags;
};

/** Every call for the engines of a user, with what the server answers to it in JSON. */
export const trueCalls = async (baseUrl: string, token: string): Promise<ReadonlyArray<TrueCall>> => {
  const client = createEngineClient({ baseUrl, token, format: "json" });
  const calls: Array<TrueCall> = [];
  for (const [name, call] of callsFor(await tagsOf(client))) calls.push([name, call, (await call(client)).json]);
  return calls;
};

/** Makes all calls in a random order. */
export const round = async (
  client: PromiseEngineClient,
  calls: ReadonlyArray<TrueCall>,
  random: Random,
): Promise<Round> => {
  const wrong: Array<string> = [];
  let protobuf = 0;
  let regained = 0;
  let requests = 0;
  for (const [name, call, truth] of shuffled(random, calls)) {
    const { json, format, requests: sent } = await call(client);
    if (json !== truth) wrong.push(`${name}: ${json}, not ${truth}`);
    if (format === "protobuf") protobuf += 1;
    if (format === "protobuf" && sent === 1) regained += 1;
    requests += sent;
  }
  return { wrong, protobuf, regained, requests };
};
