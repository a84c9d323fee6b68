// Tells where the credentials come from and how long they last.
import { textAt } from "../../output/Column.ts";
import type { JsonObject } from "@bufbuild/protobuf";
import { clientOf, credentials } from "../../Client.ts";
import { exitCodes } from "../../ExitCode.ts";
import { isEngineError } from "../../Failure.ts";
import type { Invocation } from "../../Invocation.ts";
import { openOutput } from "../../output/OpenOutput.ts";
import type { Shape } from "../../output/Shape.ts";
import type { Credentials } from "../../settings/Credentials.ts";
import { expiryMsOf } from "../../settings/TokenLife.ts";
import { safeText } from "../../text/SafeText.ts";

const fields = ["profile", "baseUrl", "kind", "origin", "expiresAt", "accepted"];

const shape: Shape = {
  columns: fields.map((path) => ({ path, kind: path === "expiresAt" ? "time" : "text" })),
  known: fields,
  nameOf: (record) => textAt(record, "profile"),
  document: "one",
};

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings } = invocation;
  const writer = await openOutput(invocation, shape);
  const found = await credentials(invocation);
  const expiryMs = found?.kind === "token" ? expiryMsOf(found.secret) : undefined;
  const accepted = found === undefined ? null : await isAccepted(invocation);
  const status: JsonObject = {
    profile: settings.profileName,
    baseUrl: settings.text("baseUrl") ?? "",
    kind: found?.kind ?? "none",
    origin: originOf(found),
    expiresAt: expiryMs === undefined ? null : new Date(expiryMs).toISOString(),
    accepted,
  };
  await writer.write([{ json: status }]);
  await writer.end();
  return found === undefined || accepted === false ? exitCodes.denied : exitCodes.ok;
};

const originOf = (found: Credentials | undefined): string | null => found?.origin ?? null;

/** Asks the API. Null: it could not be found out. */
const isAccepted = async (invocation: Invocation): Promise<boolean | null> => {
  const { notes, signal } = invocation;
  notes.progress("asking the API");
  try {
    const client = await clientOf(invocation);
    await client.list({ limit: 1 }, { signal });
    return true;
  } catch (error) {
    if (!isEngineError(error) || signal.aborted) throw error;
    const { _tag } = error.reason;
    if (_tag === "Unauthenticated" || _tag === "CredentialsFailed") return false;
    notes.note(safeText(error.message));
    return _tag === "PermissionDenied" ? true : null;
  } finally {
    notes.progress(undefined);
  }
};
