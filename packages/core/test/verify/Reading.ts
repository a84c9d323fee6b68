// Clients against foreign servers, and the requests that their calls took.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { createEngineClient, type CallOptions, type ClientOptions, type EngineEvent } from "../../src/promise.ts";
import { encode, formatOf, schemaDigestHeader } from "../../src/wire.ts";
import type { VerificationOptions } from "../../src/verify/SchemaVerifier.ts";
import type { ForeignServer } from "./ForeignServer.ts";

export const origin = "https://engines.example";

/** How a resource is answered once. */
export interface Answering<D extends DescMessage> {
  readonly digest?: string | undefined;
  /** What the JSON shows, where that is not what the protobuf shows. */
  readonly json?: MessageShape<D>;
  readonly jsonServer?: ForeignServer;
  readonly call?: CallOptions;
}

export interface Read<D extends DescMessage> {
  readonly message: MessageShape<D>;
  readonly asked: ReadonlyArray<string>;
  readonly events: ReadonlyArray<EngineEvent>;
}

export type ReadOnce = <D extends DescMessage>(
  schema: D,
  server: ForeignServer,
  sent: MessageShape<D>,
  answering?: Answering<D>,
) => Promise<Read<D>>;

/** A client, as a function that reads a resource of a server once. */
export const readerOf = (verification: VerificationOptions = {}, options: ClientOptions = {}): ReadOnce => {
  let answer: (format: "json" | "protobuf") => Response;
  let asked: Array<string> = [];
  let events: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl: `${origin}/v1/dev`,
    fetch: (_url, init) => {
      const format = formatOf(new Headers(init.headers).get("accept")) ?? "json";
      asked.push(format);
      return Promise.resolve(answer(format));
    },
    retry: { maxAttempts: 1 },
    onEvent: (event) => events.push(event),
    protobufVerification: verification,
    ...options,
  });
  return async (schema, server, sent, { digest, json = sent, jsonServer = server, call = {} } = {}) => {
    asked = [];
    events = [];
    answer = (format) =>
      new Response(
        format === "json"
          ? encode(schema, jsonServer.json(schema, json), "json")
          : (server.protobuf(schema, sent) as Uint8Array<ArrayBuffer>),
        {
          headers: {
            "content-type": format === "json" ? "application/json" : "application/x-protobuf",
            ...(digest === undefined ? {} : { [schemaDigestHeader]: digest }),
          },
        },
      );
    const read = async (): Promise<Message> => {
      if (schema.name === "Engine") return client.get("a", call);
      return schema.name === "EngineMessage" ? client.status("a", call) : client.list({}, call);
    };
    return { message: (await read()) as MessageShape<typeof schema>, asked, events };
  };
};

/** What a message says, without what only its protobuf carries. */
export const said = (server: ForeignServer, schema: DescMessage, message: Message): Message =>
  server.json(schema, message);
