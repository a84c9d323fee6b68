// Inference of a server's field numbers.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import type { Middleware } from "../ClientOptions.ts";
import { endpoints, matchPath } from "../Endpoint.ts";
import { formatOf, mediaTypeOf, type Format } from "../MediaType.ts";
import { read } from "../Reading.ts";
import type { HttpResponse, HttpRequest } from "../Transport.ts";
import { sameBytes, sameMessage } from "../verify/Sameness.ts";
import { sameWire } from "../verify/WireFields.ts";
import { noEvidence, type Evidence } from "./Evidence.ts";
import { addPair, type Fit } from "./Pair.ts";
import { profileOf, type Profile } from "./Profile.ts";
import { solve } from "./Solution.ts";

/** A pair that left numbers without a field. */
interface Pending {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** Infers the field numbers of one server. Holds no clock; sends nothing but by its middleware. */
export class FieldNumberInference {
  #evidence: Evidence = noEvidence;
  readonly #pending = new Map<string, Pending>();
  readonly #misfits: Array<string> = [];

  /** What did not fit, in words: changes between two requests, and servers whose formats differ. */
  get misfits(): ReadonlyArray<string> {
    return this.#misfits;
  }

  /** What is known now. `nowMs`: the time in milliseconds since 1970. */
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
   * Takes in both formats of one resource. False: they do not fit each other, or what was taken in before.
   *
   * A pair that leaves a populated number without a field for the first time may be one of a server with fields of its own, or
   * one whose halves differ after all: it waits for a second one that shows the same and has other data, or, where the
   * messages say when they were changed, for any second one. Where they do not, and it may as well be the number of a field that
   * the JSON has not shown yet (of a replica that is behind, perhaps), it waits for one that shows that field.
   */
  add<D extends DescMessage>(schema: D, protobuf: Uint8Array, json: MessageShape<D>): boolean {
    const fit = addPair(this.#evidence, solve, schema, protobuf, json);
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
    const both = pending && this.#both(schema, pending, bytes, json);
    if (pending !== undefined && both?.foreign.length === 0 && !fit.blind) {
      const isAnother = !sameBytes(bytes, pending.bytes) && !sameMessage(schema, json, pending.message);
      if (isAnother || fit.dated) {
        this.#evidence = both.evidence;
        return;
      }
    }
    this.#pending.set(schema.typeName, { bytes, message: json });
  }

  #both(schema: DescMessage, pending: Pending, bytes: Uint8Array, json: Message): Fit | undefined {
    const first = addPair(this.#evidence, solve, schema, pending.bytes, pending.message);
    return first && addPair(first.evidence, solve, schema, bytes, json);
  }
}

const pastCaches = (request: HttpRequest, format: Format): HttpRequest => ({
  ...request,
  headers: { ...request.headers, accept: mediaTypeOf(format), "cache-control": "no-cache, no-transform" },
});

const isProtobuf = ({ status, headers }: HttpResponse): boolean =>
  status === 200 && formatOf(headers.get("content-type")) === "protobuf";

const jsonOf = <D extends DescMessage>(schema: D, answer: HttpResponse): MessageShape<D> | undefined => {
  try {
    const reading = read(schema, answer.headers.get("content-type"), answer.bytes);
    return reading.format === "json" ? reading.message : undefined;
  } catch {
    // The client reports it.
    return undefined;
  }
};
