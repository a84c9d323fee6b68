// Sample archives and lifecycle calls over HTTP, for tests.
import { fromBinary, create, toBinary } from "@bufbuild/protobuf";
import { EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";

/** What an answer says, in either form. */
export interface Said {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export type Form = "json" | "protobuf";

const mediaTypes = { json: "application/json", protobuf: "application/x-protobuf" } as const;

/** Sends an EngineMessage, or nothing, in one form and reads the answer in the same. */
export const send = async (
  url: string,
  method: string,
  token: string,
  form: Form = "json",
  message?: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Said> => {
  const data = message?.["engineData"] as Uint8Array | undefined;
  const body =
    message === undefined
      ? undefined
      : form === "protobuf"
        ? toBinary(EngineMessageSchema, create(EngineMessageSchema, message))
        : JSON.stringify(
            data === undefined ? message : { ...message, engineData: Buffer.from(data).toString("base64") },
          );
  const response = await fetch(url, {
    method,
    headers: {
      Authorization: token,
      Accept: mediaTypes[form],
      ...(message === undefined ? {} : { "Content-Type": mediaTypes[form] }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: body as BodyInit }),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isEngine = method === "POST" && url.endsWith("/engines");
  const parsed: unknown =
    response.headers.get("content-type") === mediaTypes.json
      ? JSON.parse(new TextDecoder().decode(bytes))
      : response.ok
        ? isEngine
          ? fromBinary(EngineSchema, bytes)
          : fromBinary(EngineMessageSchema, bytes)
        : fromBinary(StatusSchema, bytes);
  return { status: response.status, headers: response.headers, body: parsed as Record<string, unknown> };
};
