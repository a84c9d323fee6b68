// HTTP server for services with google.api.http annotations.
import { createServer, type IncomingMessage } from "node:http";
import { close, listen } from "@bytenite-engines/test-kit/ports";
import {
  create,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type DescMethod,
  type DescService,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { annotatedRules } from "../src/client/ServiceMethod.ts";
import { parseEnum, parseScalar } from "../src/http-rule/FieldText.ts";
import { resolveBinding, type HttpBinding, type PathField } from "../src/http-rule/HttpRule.ts";
import { matchTemplate, parseMessage, parseWellKnown } from "./Transcoding.ts";
import { decodeQuery } from "../src/QueryParameters.ts";
import { httpStatusOf, rpcCodes, type RpcCode } from "../src/RpcCode.ts";
import { formatOf } from "../src/MediaType.ts";

/** One request as it arrived. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface ServiceServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly requests: ReadonlyArray<ReceivedRequest>;
}

/** A failure that the server answers as google.rpc.Status. */
export class RpcFailure extends Error {
  readonly code: RpcCode;
  constructor(code: RpcCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** How each rpc is answered, by its local name. */
export type Handlers = Readonly<Record<string, (request: never, received: ReceivedRequest) => Message>>;

interface Route {
  readonly method: DescMethod;
  readonly binding: HttpBinding;
}

/** All bindings of a service, those with a verb first: a verb is more specific than a segment with a colon. */
export const routesOf = (service: DescService): ReadonlyArray<Route> =>
  service.methods
    .flatMap((method) =>
      annotatedRules(method).map((row) => ({ method, binding: resolveBinding(row, method.input, method.output) })),
    )
    .toSorted((a, b) => Number(b.binding.template.verb !== undefined) - Number(a.binding.template.verb !== undefined));

/** The request message in an HTTP request; undefined where the binding does not match it. */
export const decodeRequest = (
  { method, binding }: Route,
  request: { readonly method: string; readonly target: string; readonly body: unknown },
  registry?: Registry,
): Message | undefined => {
  if (request.method !== binding.method) return undefined;
  const [path = "", query = ""] = request.target.split("?");
  const values = matchTemplate(binding.template, path);
  if (values === undefined) return undefined;
  const message =
    binding.body === "*"
      ? bodyMessage(method.input, request.body, registry)
      : decodeQuery(method.input, new URLSearchParams(query), binding.outsideQuery, parseWellKnown);
  if (typeof binding.body === "object" && request.body !== undefined) {
    const { body } = binding;
    const part =
      request.body instanceof Uint8Array
        ? reflect(method.input)
        : reflect(
            method.input,
            fromJson(
              method.input,
              { [body.jsonName]: request.body as JsonValue },
              registry === undefined ? {} : { registry },
            ),
          );
    if (request.body instanceof Uint8Array)
      part.set(body, reflect(body.message as DescMessage, fromBinary(body.message as DescMessage, request.body)));
    if (part.isSet(body)) reflect(method.input, message).set(body, part.get(body));
  }
  for (const pathField of binding.pathFields) setPathField(reflect(method.input, message), pathField, values);
  return message;
};

const bodyMessage = (schema: DescMessage, body: unknown, registry: Registry | undefined): Message => {
  if (body instanceof Uint8Array) return fromBinary(schema, body);
  return body === undefined
    ? create(schema)
    : fromJson(schema, body as JsonValue, {
        ignoreUnknownFields: true,
        ...(registry === undefined ? {} : { registry }),
      });
};

const setPathField = (root: ReflectMessage, { name, fields }: PathField, values: ReadonlyMap<string, string>): void => {
  const text = values.get(name) ?? "";
  let holder = root;
  for (const [index, field] of fields.entries()) {
    if (index < fields.length - 1) {
      if (!holder.isSet(field)) holder.set(field, reflect(field.message as DescMessage));
      holder = holder.get(field) as ReflectMessage;
    } else if (field.enum !== undefined) holder.set(field, parseEnum(field.enum, text));
    else if (field.message !== undefined) holder.set(field, reflect(field.message, parseMessage(field.message, text)));
    else holder.set(field, parseScalar(field.scalar as NonNullable<typeof field.scalar>, text));
  }
};

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly bytes: Uint8Array;
}

const status = (code: RpcCode, message: string): Answer => ({
  status: httpStatusOf(code),
  type: "application/json",
  bytes: Buffer.from(JSON.stringify({ code: rpcCodes[code], message, details: [] })),
});

/** Starts a server on a free port of loopback. `intercept` may answer a request itself, by its running number from 1. */
export const startService = async (
  service: DescService,
  handlers: Handlers,
  options: {
    readonly registry?: Registry;
    readonly intercept?: (
      count: number,
      received: ReceivedRequest,
    ) => { status: number; headers?: Record<string, string>; body?: string } | "reset" | undefined;
    /** JSON as etcd's gateway writes it: proto names. */
    readonly protoNames?: boolean;
    readonly headers?: Record<string, string>;
  } = {},
): Promise<ServiceServer> => {
  const routes = routesOf(service);
  const requests: Array<ReceivedRequest> = [];
  const { registry } = options;
  const json = { useProtoFieldName: options.protoNames ?? false, ...(registry === undefined ? {} : { registry }) };
  const answer = (received: ReceivedRequest): Answer => {
    const wantsProtobuf = formatOf(received.headers.accept) === "protobuf";
    try {
      const isProtobuf = formatOf(received.headers["content-type"]) === "protobuf";
      const body =
        received.body.length === 0
          ? undefined
          : isProtobuf
            ? new Uint8Array(received.body)
            : (JSON.parse(received.body.toString()) as unknown);
      for (const route of routes) {
        const message = decodeRequest(route, { ...received, body }, registry);
        if (message === undefined) continue;
        const handler = handlers[route.method.localName];
        if (handler === undefined) return status("UNIMPLEMENTED", `no handler for ${route.method.name}`);
        const reply = handler(message as never, received);
        const { responseBody } = route.binding;
        if (wantsProtobuf) {
          const bytes =
            responseBody === undefined
              ? toBinary(route.method.output, reply)
              : toBinary(
                  responseBody.message as DescMessage,
                  (reflect(route.method.output, reply).get(responseBody) as ReflectMessage).message,
                );
          return { status: 200, type: "application/x-protobuf", bytes };
        }
        const whole = toJson(route.method.output, reply, { ...json, alwaysEmitImplicit: true }) as JsonObject;
        const value = responseBody === undefined ? whole : (whole[responseBody.jsonName] ?? null);
        return { status: 200, type: "application/json", bytes: Buffer.from(JSON.stringify(value)) };
      }
      return status("NOT_FOUND", "Not Found");
    } catch (cause) {
      return cause instanceof RpcFailure
        ? status(cause.code, cause.message)
        : status("INVALID_ARGUMENT", String(cause));
    }
  };
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const received: ReceivedRequest = {
        method: request.method ?? "",
        target: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks),
      };
      requests.push(received);
      const intercepted = options.intercept?.(requests.length, received);
      if (intercepted === "reset") {
        request.socket.destroy();
        return;
      }
      if (intercepted !== undefined) {
        response.writeHead(intercepted.status, { "content-type": "application/json", ...intercepted.headers });
        response.end(intercepted.body ?? "");
        return;
      }
      const { status, type, bytes } = answer(received);
      response.writeHead(status, { "content-type": type, ...options.headers });
      response.end(bytes);
    });
  });
  const origin = await listen(server);
  return {
    baseUrl: origin,
    requests,
    [Symbol.asyncDispose]: () => close(server),
  };
};
