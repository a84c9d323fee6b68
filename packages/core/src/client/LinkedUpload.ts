// Archives that are sent to the server's storage by a link.
import * as Effect from "effect/Effect";
import type { ClientParts } from "../ClientParts.ts";
import type { EngineError } from "../EngineError.ts";
import { openLink } from "./EngineArchive.ts";
import { askUploadLink, hashOf, type SentArchive } from "./EngineCalls.ts";

/** Bytes above which a link is asked for: some platforms take no bodies of 100 MB, and base64 makes 4 bytes of 3. */
const longestInRequest = 32 * 1_048_576;

const isWithoutLinks = ({ reason }: EngineError): boolean =>
  reason._tag === "NotFound" || reason._tag === "Unimplemented";

/** Sends a long archive to where the server says, or nothing where it takes archives in requests only. */
export const sendByLink = (
  parts: ClientParts,
  archive: Uint8Array,
): Effect.Effect<SentArchive | undefined, EngineError> => {
  if (archive.byteLength <= longestInRequest) return Effect.succeed(undefined);
  const asked = Effect.catchIf(
    Effect.map(askUploadLink(parts, archive.byteLength), ({ data }) => data.engineLink),
    isWithoutLinks,
    () => Effect.succeed(""),
  );
  return Effect.flatMap(asked, (link) => {
    if (link === "") return Effect.succeed(undefined);
    return Effect.flatMap(openLink(parts, link, archive), () =>
      Effect.promise(async () => ({
        // What signs the link is of no use to the server.
        engineLink: link.replace(/[?#].*$/s, ""),
        headers: { "repr-digest": `sha-256=:${await hashOf(archive)}:` },
      })),
    );
  });
};
