// Engines with archives, and lifecycle calls over HTTP, for tests.
import { fromBinary, create, toBinary } from "@bufbuild/protobuf";
import { EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";
import { hashOf } from "@bytenite-engines/test-kit/archives";
import type { SecretBox } from "../src/api/SecretBox.ts";
import { addArchive } from "../src/archive/ArchiveRows.ts";
import { beginArchive, sealDataKey } from "../src/archive/ArchiveStore.ts";
import { ensureUser } from "../src/manage/Accounts.ts";
import { publishAll } from "../src/manage/Engines.ts";
import { makeArchiveFolder, nodeSha256 } from "../src/node/ArchiveFolder.ts";
import type { SqliteFile } from "../src/node/SqliteFile.ts";

/** An engine of version 0.1 with an archive. */
export interface Given {
  readonly user: string;
  readonly name: string;
  readonly archive: Buffer;
  /** Its secret; "" for none. */
  readonly token: string;
}

/** Gives a user an engine with an archive in a folder, as an upload does. */
export const giveArchive = async (
  file: SqliteFile,
  folder: string,
  box: SecretBox,
  { user, name, archive, token }: Given,
): Promise<void> => {
  const writer = await beginArchive(makeArchiveFolder(folder), nodeSha256());
  await writer.write(archive);
  const stored = await writer.finish();
  const id = `id-of-${name}`;
  const engine = { id, name, version: "0.1", hash: hashOf(archive), platformConfig: { token } };
  await publishAll(file, ensureUser(file, user, 0), [engine], box, 0);
  const isSealed = token !== "";
  const kept = isSealed ? await sealDataKey(stored, box) : stored;
  const mediaType = archive[0] === 0x1f ? "application/gzip" : "application/x-tar";
  const { sql, values } = addArchive({ ...kept, mediaType, isSealed }, id, 0);
  file.transaction((run) => run(sql, ...values));
};

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
