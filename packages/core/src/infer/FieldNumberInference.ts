// Inference of a server's field numbers.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import type { Middleware } from "../ClientOptions.ts";
import { endpoints, matchPath } from "../Endpoint.ts";
import { formatOf, mediaTypeOf, type Format } from "../MediaType.ts";
import { engineCodec } from "../client/EngineCodec.ts";
import { attempted, defaultReadLimits, parseJson } from "../ReadLimits.ts";
import type { HttpResponse, HttpRequest } from "../Transport.ts";
import { sameBytes, sameMessage } from "../verify/FieldMatch.ts";
import { noEvidence, type Evidence } from "./Evidence.ts";
import { addPair, type Fit } from "./Pair.ts";
import { profileOf, type Profile } from "./Profile.ts";
import { sameWire } from "./SameWire.ts";

/** A pair that left numbers without a field. */
interface Pending {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** Infers the field numbers of one server. Requests are sent by its middleware only. */
export class FieldNumberInference {
  #evidence: Evidence = noEvidence;
  readonly #pending = new Map<string, Pending>();
  readonly #misfits: Array<string> = [];

  /** Descriptions of pairs that contradict each other: changes between two requests, servers whose formats differ. */
  get misfits(): ReadonlyArray<string> {
    return this.#misfits;
  }

  /** The current profile. `nowMs`: the time in milliseconds since 1970. */
  profile(origin: string, nowMs: number): Profile {
    return profileOf(origin, this.#evidence, nowMs);
  }

  /**
   * For the option `middleware` of a client with `format: "json"`. Sends each request that reads engines in protobuf, in JSON, and in
   * protobuf again; where both protobuf responses are the same, compares them with the JSON.
   */
  readonly middleware: Middleware = async (request, next) => {
    const { pathname } = new URL(request.url);
    const match = matchPath(/\/engines(?:\/.*)?$/.exec(pathname)?.[0] ?? "");
    if (match === undefined || request.method !== "GET") return next(request);
    const ask = (format: Format): Promise<HttpResponse> => next(pastCaches(request, format));
    const before = await ask("protobuf").catch(() => undefined);
    const answer = await ask("json");
    if (before === undefined || !isProtobuf(before) || answer.status !== 200) return answer;
    const after = await ask("protobuf").catch(() => undefined);
    const schema: DescMessage = endpoints[match.name].response;
    if (after === undefined || !isProtobuf(after) || !sameWire(before.bytes, after.bytes)) {
      this.#misfits.push(`${schema.typeName}: ${pathname} changed while it was read`);
      return answer;
    }
    const json = jsonOf(schema, answer);
    if (json !== undefined && !this.add(schema, before.bytes, json))
      this.#misfits.push(`${schema.typeName}: the protobuf of ${pathname} does not fit its JSON`);
    return answer;
  };

  /**
   * Adds both formats of one resource. False: they contradict each other, or earlier pairs.
   *
   * A populated number without a field is a field of the server's own, or the two formats are of different states. The pair waits for a
   * second one with that number and other data; for any second one, where messages have the time of their last change. Without such a time, a
   * number that may belong to a field not yet seen in JSON waits for a pair with that field.
   */
  add<D extends DescMessage>(schema: D, protobuf: Uint8Array, json: MessageShape<D>): boolean {
    const fit = addPair(this.#evidence, schema, protobuf, json);
    if (fit === undefined) return false;
    this.#accept(schema, protobuf, json, fit);
    return true;
  }

  #accept(schema: DescMessage, bytes: Uint8Array, json: Message, fit: Fit): void {
    const pending = this.#pending.get(schema.typeName);
    this.#pending.delete(schema.typeName);
    if (fit.foreign.length === 0) {
      this.#evidence = fit.evidence;
      return;
    }
    if (pending !== undefined && !fit.blind) {
      const both = this.#both(schema, pending, bytes, json);
      const isAnother = !sameBytes(bytes, pending.bytes) && !sameMessage(schema, json, pending.message);
      if (both?.foreign.length === 0 && (isAnother || fit.dated)) {
        this.#evidence = both.evidence;
        return;
      }
    }
    this.#pending.set(schema.typeName, { bytes, message: json });
  }

  #both(schema: DescMessage, pending: Pending, bytes: Uint8Array, json: Message): Fit | undefined {
    const first = addPair(this.#evidence, schema, pending.bytes, pending.message);
    return first && addPair(first.evidence, schema, bytes, json);
  }
}

const pastCaches = (request: HttpRequest, format: Format): HttpRequest => ({
  ...request,
  headers: { ...request.headers, accept: mediaTypeOf(format), "cache-control": "no-cache, no-transform" },
});

const isProtobuf = ({ status, headers }: HttpResponse): boolean =>
  status === 200 && formatOf(headers.get("content-type")) === "protobuf";

/** Undefined for what is no such JSON: the client reports it. */
const jsonOf = (schema: DescMessage, { bytes }: HttpResponse): Message | undefined =>
  attempted(() => engineCodec.readJson(schema, parseJson(bytes, defaultReadLimits), defaultReadLimits).message, true);
