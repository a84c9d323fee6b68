// bne validate and push: an engine's folder, checked and uploaded.
import { UserError } from "@bytenite-engines/registry/command";
import { resolve } from "node:path";
import type { Engine } from "@bytenite-engines/proto";
import type { PromiseEngineClient } from "@bytenite-engines/core/promise";
import { clientOf } from "../client/Client.ts";
import { hashOf, packed } from "../engine/Archive.ts";
import { readEngineFolder, type EngineFolder, type Problem } from "../engine/EngineFolder.ts";
import { isEngineError, exitCodes } from "../Errors.ts";
import { isOn, numberOf, type Invocation } from "../Invocation.ts";
import { fileRecord, filesShape } from "../output/FileShape.ts";
import { openOutput } from "../output/Output.ts";
import { textAt, type Shape } from "../output/Shape.ts";
import { sayBytes } from "../parse/Units.ts";
import { safeText } from "../terminal/SafeText.ts";

const folderOf = (invocation: Invocation): EngineFolder => {
  const [shown = "."] = invocation.arguments.positionals;
  return readEngineFolder(resolve(invocation.cwd, shown), shown);
};

const isError = ({ severity }: Problem): boolean => severity === "error";

const problemsShape = (rest: Extract<Shape["document"], object>["rest"]): Shape => ({
  columns: [
    { path: "severity", kind: "status" },
    { path: "place", kind: "text", leastCells: 12 },
    { path: "problem", kind: "text", leastCells: 20 },
  ],
  known: ["severity", "place", "problem"],
  nameOf: (record) => textAt(record, "place"),
  document: { key: "problems", rest },
});

export const validate = async (invocation: Invocation): Promise<number> => {
  const { notes } = invocation;
  const folder = folderOf(invocation);
  const { tag, files, problems } = folder;
  const valid = !problems.some(isError);
  const archive = valid ? await packed(folder) : undefined;
  const hash = archive === undefined ? null : hashOf(archive);
  const bytes = archive?.byteLength ?? null;
  const writer = await openOutput(
    invocation,
    problemsShape(() => ({ tag: tag ?? null, valid, files: files.length, bytes, hash })),
    false,
  );
  await writer.write(problems.map((problem) => ({ json: { ...problem } })));
  await writer.end();
  if (bytes === null) return exitCodes.notMet;
  notes.note(`${tag} is valid: ${contentsOf(folder, bytes)}, SHA-256 ${hash}.`);
  return exitCodes.ok;
};

const contentsOf = ({ files }: EngineFolder, bytes: number): string =>
  `${files.length} ${files.length === 1 ? "file" : "files"}, ${sayBytes(bytes)}`;

/** Effect of a push on the server. */
type Result = "created" | "updated" | "activated" | "unchanged";

const resultOf = (before: Engine | undefined, hash: string, activate: boolean): Result => {
  if (before === undefined) return "created";
  if (before.hash !== hash) return "updated";
  return activate && before.status !== "active" ? "activated" : "unchanged";
};

export const push = async (invocation: Invocation): Promise<number> => {
  const { notes, signal } = invocation;
  const folder = folderOf(invocation);
  const tag = folder.tag ?? "";
  const activate = isOn(invocation, "activate");
  const ifRevision = numberOf(invocation, "if-revision");
  const dryRun = isOn(invocation, "dry-run");
  let engine: Engine | undefined;
  let result: Result = "unchanged";
  const writer = await openOutput(
    invocation,
    filesShape(() => ({
      tag,
      result,
      dryRun,
      revision: engine?.revision ?? null,
      status: engine?.status ?? null,
      bytes: archive.byteLength,
      hash,
    })),
    false,
  );
  assertValid(invocation, folder);
  const archive = await packed(folder);
  const hash = hashOf(archive);
  const client = await clientOf(invocation, true);
  notes.progress(`asking for ${tag}`);
  engine = await engineAt(client, tag, signal);
  result = resultOf(engine, hash, activate);
  assertRevision(tag, engine, ifRevision);
  // A server may know the hash alone, or have lost the archive.
  if (result === "unchanged" && !(await hasArchive(client, tag, signal))) result = "updated";
  if (!dryRun && result !== "unchanged") {
    notes.progress(`sending ${tag}, ${sayBytes(archive.byteLength)}`);
    engine = await client.upload(archive, {
      tag,
      activate,
      signal,
      ifRevision,
    });
    assertStored(engine, tag, hash);
  }
  notes.progress(undefined);
  await writer.write(folder.files.map(fileRecord));
  await writer.end();
  notes.note(`${said(tag, result, dryRun, engine)}: ${contentsOf(folder, archive.byteLength)}.`, { result });
  if (!dryRun && engine !== undefined && engine.status !== "active")
    notes.note(`Activate it with \`bne activate ${tag}\`.`);
  return exitCodes.ok;
};

const said = (tag: string, result: Result, dryRun: boolean, engine: Engine | undefined): string => {
  if (result === "unchanged") return `${tag} is unchanged, revision ${engine?.revision}`;
  if (dryRun) return `Nothing was sent; ${tag} would be ${result}`;
  return `${tag} is ${result}, revision ${engine?.revision}, ${safeText(engine?.status ?? "")}`;
};

/** Prints warnings; throws UserError for problems. */
const assertValid = ({ notes }: Invocation, { problems }: EngineFolder): void => {
  for (const { severity, place, problem } of problems) {
    if (severity === "warning") notes.warn(safeText(`${place} ${problem}`));
  }
  const errors = problems.filter(isError);
  const [first, ...others] = errors;
  if (first === undefined) return;
  const more = others.length === 0 ? "" : `, and ${others.length} more`;
  throw new UserError(
    `The folder is not valid: ${safeText(`${first.place}: ${first.problem}`)}${more}`,
    exitCodes.notMet,
    "`bne validate FOLDER` shows all that is wrong.",
  );
};

const engineAt = async (client: PromiseEngineClient, tag: string, signal: AbortSignal): Promise<Engine | undefined> => {
  try {
    return await client.get(tag, { signal });
  } catch (error) {
    if (isEngineError(error) && error.reason._tag === "NotFound") return undefined;
    throw error;
  }
};

/** Whether the server gives a link to the archive of an engine; other refusals count as yes. */
const hasArchive = async (client: PromiseEngineClient, tag: string, signal: AbortSignal): Promise<boolean> => {
  try {
    await client.download(tag, { signal });
    return true;
  } catch (error) {
    if (!isEngineError(error) || error.status === undefined) throw error;
    return error.reason._tag !== "NotFound";
  }
};

/** Before anything is sent; the server checks the same when the archive is there. */
const assertRevision = (tag: string, engine: Engine | undefined, ifRevision: number | undefined): void => {
  const revision = engine?.revision ?? 0;
  if (ifRevision === undefined || ifRevision === revision) return;
  throw new UserError(
    engine === undefined
      ? `${tag} is not there, so it has no revision ${ifRevision}`
      : `${tag} has revision ${revision}, not ${ifRevision}`,
    exitCodes.notMet,
    engine === undefined
      ? "--if-revision 0 is for an engine that is not there yet."
      : `\`bne pull ${tag}\` gets what is there now.`,
  );
};

/** Compares the stored engine with the sent archive. */
const assertStored = ({ hash, name, version }: Engine, tag: string, sent: string): void => {
  if (hash === sent && `${name}@${version}` === tag) return;
  throw new UserError(
    `The server answers with ${safeText(`${name}@${version}`)} and the hash ${safeText(hash)}; ${tag} with ${sent} was sent`,
    exitCodes.undecodable,
    `\`bne get ${tag}\` shows what is there.`,
  );
};
