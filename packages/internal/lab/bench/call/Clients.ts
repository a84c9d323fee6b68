// Clients that are measured: one GET of one engine each.
import * as http from "node:http";
import { fromBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import ky from "ky";
import OpenAI from "openai";
import createOpenApiClient from "openapi-fetch";
import { nodeFetch } from "@bytenite-engines/core/node";
import { createEngineClient, type ClientOptions } from "@bytenite-engines/core/promise";
import { EngineSchema } from "@bytenite-engines/proto";
import { Developer } from "@bytenite-engines/proto/service";
import type { Contender } from "../Rounds.ts";

const token = "bench-token";

/** Distinct for each slot, so that identical calls under way are not shared. */
const tagOf = (slot: number): string => `zipper-${slot}@0.1`;

/** The part of `fetch` that all contenders use. */
export type BenchFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

const headers = { accept: "application/x-protobuf", authorization: token };

/** The reference: `fetch`, the whole body, decoded by protobuf-es. */
export const bareProtobuf = (origin: string, fetch: BenchFetch): Contender => ({
  name: "bare fetch + decode, protobuf",
  call: async (slot) => {
    const response = await fetch(`${origin}/v1/dev/engines/${tagOf(slot)}`, { headers });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return fromBinary(EngineSchema, new Uint8Array(await response.arrayBuffer()));
  },
});

/** Timeout of a call, in milliseconds, and longest body, in bytes. */
const timeoutMs = 10_000;
const maxBytes = 67_108_864;

/** The least that a call over `fetch` with a timeout and a limit of its body can cost. */
export const limitedFetch = (origin: string, fetch: BenchFetch): Contender => ({
  name: "fetch + timeout + limit + decode, protobuf",
  call: async (slot) => {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    try {
      const { signal } = timeout;
      const response = await fetch(`${origin}/v1/dev/engines/${tagOf(slot)}`, { headers, signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      if (!(Number(response.headers.get("content-length") ?? Number.NaN) <= maxBytes)) throw new Error("too long");
      return fromBinary(EngineSchema, new Uint8Array(await response.arrayBuffer()));
    } finally {
      clearTimeout(timer);
    }
  },
});

/** Ours: the promise entry with its defaults. */
export const ours = (origin: string, fetch: BenchFetch, options: ClientOptions = {}): Contender => {
  const client = createEngineClient({ baseUrl: `${origin}/v1/dev`, token, fetch, ...options });
  return { name: `core${options.format === "json" ? ", JSON" : ""}`, call: (slot) => client.get(tagOf(slot)) };
};

/** Ours over node:http. */
export const oursOverNode = (origin: string): Contender => ({
  ...ours(origin, globalThis.fetch, { fetch: nodeFetch() }),
  name: "core, nodeFetch",
});

/** The same over node:http. */
export const limitedNode = (origin: string): Contender => {
  const agent = new http.Agent({ keepAlive: true });
  return {
    name: "node:http + timeout + limit + decode, protobuf",
    call: (slot) =>
      new Promise((resolve, reject) => {
        const request = http.get(`${origin}/v1/dev/engines/${tagOf(slot)}`, { agent, headers }, (response) => {
          const chunks: Array<Buffer> = [];
          let bytes = 0;
          response.on("error", reject).on("data", (chunk: Buffer) => {
            chunks.push(chunk);
            bytes += chunk.byteLength;
            if (bytes > maxBytes) request.destroy(new Error("too long"));
          });
          response.on("end", () => {
            clearTimeout(timer);
            if (response.statusCode === 200) resolve(fromBinary(EngineSchema, Buffer.concat(chunks)));
            else reject(new Error(`HTTP ${response.statusCode}`));
          });
        });
        const timer = setTimeout(() => request.destroy(new Error("timeout")), timeoutMs);
        request.on("error", reject);
      }),
  };
};

/** Connect's unary call over its transport on `fetch`: no retries, an answer of the same bytes, a POST as its protocol wants. */
export const connect = (origin: string, fetch: BenchFetch): Contender => {
  const transport = createConnectTransport({
    baseUrl: origin,
    useBinaryFormat: true,
    fetch,
    defaultTimeoutMs: 10_000,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", token);
        return next(request);
      },
    ],
  });
  const client = createClient(Developer, transport);
  return { name: "connect-es", call: (slot) => client.getEngineByTag({ engineTag: tagOf(slot) }) };
};

const retried = new Set([408, 429, 500, 502, 503, 504]);

/** Retries as one would add them to a client that has none: three times, a timeout for each attempt. */
const withRetry =
  (fetch: BenchFetch): BenchFetch =>
  async (input, init) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const signal = AbortSignal.timeout(10_000);
        // A GET has no body that a first attempt would use up.
        const response = await fetch(input, { ...init, signal });
        if (attempt === 4 || !retried.has(response.status)) return response;
      } catch (error) {
        if (attempt === 4) throw error;
      }
      await new Promise((resolve) => void setTimeout(resolve, Math.random() * 100 * 2 ** attempt));
    }
  };

interface Paths {
  "/engines/{engine_tag}": {
    get: {
      parameters: { path: { engine_tag: string } };
      responses: { 200: { content: { "application/json": { name: string } } } };
    };
  };
}

/** openapi-fetch with that retry. */
export const openApiFetch = (origin: string, fetch: BenchFetch): Contender => {
  const client = createOpenApiClient<Paths>({
    baseUrl: `${origin}/v1/dev`,
    fetch: withRetry(fetch),
    headers: { authorization: token },
  });
  return {
    name: "openapi-fetch + retry",
    call: async (slot) => {
      const { data } = await client.GET("/engines/{engine_tag}", { params: { path: { engine_tag: tagOf(slot) } } });
      if (data === undefined) throw new Error("no data");
      return data;
    },
  };
};

/** The transport of a Stainless SDK, doing the same GET. */
export const stainless = (origin: string, fetch: BenchFetch): Contender => {
  const client = new OpenAI({
    apiKey: token,
    baseURL: `${origin}/v1/dev`,
    fetch,
    maxRetries: 3,
    timeout: 10_000,
  });
  return { name: "Stainless SDK (openai)", call: (slot) => client.get(`/engines/${tagOf(slot)}`) };
};

/** ky with its own retries. */
export const kyClient = (origin: string, fetch: BenchFetch): Contender => {
  const client = ky.create({
    headers: { authorization: token },
    retry: { limit: 3 },
    timeout: 10_000,
    fetch,
  });
  return { name: "ky", call: (slot) => client.get(`${origin}/v1/dev/engines/${tagOf(slot)}`).json() };
};

/** Everybody. */
export const everybody = (origin: string, fetch: BenchFetch): ReadonlyArray<Contender> => [
  bareProtobuf(origin, fetch),
  limitedFetch(origin, fetch),
  ours(origin, fetch),
  oursOverNode(origin),
  limitedNode(origin),
  connect(origin, fetch),
  ours(origin, fetch, { format: "json" }),
  openApiFetch(origin, fetch),
  stainless(origin, fetch),
  kyClient(origin, fetch),
];
