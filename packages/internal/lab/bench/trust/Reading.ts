// Decides: what is timed of trust: reading an answer that is there already, and a whole call with a fetch that answers at once.
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { createEngineClient, type ClientOptions } from "@bytenite-engines/core/promise";
import {
  calibration,
  defaultSampleEvery,
  makeTrust,
  readTrusted,
  type FormedAnswer,
  type Trust,
} from "@bytenite-engines/core/trust";
import { decode, endpoints, schemaDigestHeader } from "@bytenite-engines/core/wire";
import type { Contender } from "../Rounds.ts";
import { tag, token, type Captured, type Speaks } from "./ForeignEngines.ts";

const schema = endpoints.get.response;
const origin = "http://127.0.0.1:1";

/** Believes whatever comes, by our numbers. */
const credulous = (read: <D extends DescMessage>(schema: D, bytes: Uint8Array) => MessageShape<D>): Trust => ({
  ready: () => undefined,
  decide: (_origin, of, { bytes }) => ({ kind: "believed", message: read(of, bytes) }),
  witness: () => ({ fits: true, news: [] }),
  blame: () => [],
  alone: () => [],
  asks: () => "protobuf",
  teaches: () => false,
});

const trustOf = (speaks: Speaks): ClientOptions["trust"] =>
  speaks === "other numbers" ? { calibration: calibration() } : {};

/** Reading with its trust, the sampling by JSON included unless `sampleEvery` is Infinity. */
export const reading = (
  name: string,
  speaks: Speaks,
  { protobuf, json, digest }: Captured,
  sampleEvery = defaultSampleEvery,
): Contender => {
  const trust = makeTrust({ ...trustOf(speaks), sampleEvery });
  return readingBy(name, trust, (format) =>
    Promise.resolve(
      format === "json" ? { format, message: decode(schema, json, "json") } : { format, digest, bytes: protobuf },
    ),
  );
};

/** Reading without any check. */
export const readingAll = (captured: Captured): Contender =>
  believing("believes all", captured, (of, bytes) => decode(of, bytes, "protobuf"));

/** The same by protobuf-es. */
export const readingByLibrary = (captured: Captured): Contender => believing("protobuf-es", captured, fromBinary);

const believing = (name: string, { protobuf, digest }: Captured, read: Parameters<typeof credulous>[0]): Contender =>
  readingBy(name, credulous(read), () => Promise.resolve({ format: "protobuf", digest, bytes: protobuf }));

const readingBy = (
  name: string,
  trust: Trust,
  ask: (format: "json" | "protobuf") => Promise<FormedAnswer<typeof schema>>,
): Contender => ({ name, call: () => readTrusted({ trust, origin, schema, prefers: "auto", ask }) });

/** A whole call of the client. */
export const wholeCall = (speaks: Speaks, { protobuf, json, digest }: Captured): Contender => {
  const said: Record<string, string> = digest === null ? {} : { [schemaDigestHeader]: digest };
  const client = createEngineClient({
    baseUrl: origin,
    token,
    trust: trustOf(speaks) ?? {},
    fetch: (_url, init) => {
      const isProtobuf = new Headers(init?.headers).get("accept") === "application/x-protobuf";
      const type = isProtobuf ? "application/x-protobuf" : "application/json";
      return Promise.resolve(
        new Response(isProtobuf ? protobuf : json, { headers: { "content-type": type, ...said } }),
      );
    },
  });
  return { name: speaks, call: () => client.get(tag) };
};
