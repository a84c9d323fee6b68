// bne pull: the archive of an engine, checked and unpacked.
import type { EngineError } from "@bytenite-engines/core/promise";
import { UserError } from "@bytenite-engines/registry/command";
import { resolve } from "node:path";
import { clientOf, withTagHints } from "../client/Client.ts";
import { hashOf, unpacked } from "../engine/Archive.ts";
import { writeFiles } from "../engine/Unpack.ts";
import { HintedError, isEngineError, exitCodes } from "../Errors.ts";
import { isOn, positional, type Invocation } from "../Invocation.ts";
import { sayBytes } from "../parse/Units.ts";
import { fileRecord, filesShape } from "../output/FileShape.ts";
import { openOutput } from "../output/Output.ts";
import { safeText } from "../terminal/SafeText.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes, signal, cwd } = invocation;
  const tag = positional(invocation, 0);
  const client = await clientOf(invocation, true);
  notes.progress(`asking for ${tag}`);
  const archive = await withTagHints(invocation, client, tag, async () =>
    client.archive(tag, { signal }).catch((error: unknown) => {
      throw withoutArchive(atLink(error), tag);
    }),
  );
  const { engine, length } = archive;
  const size = length === undefined ? "" : `, ${sayBytes(length)}`;
  notes.progress(`receiving ${engine.name}@${engine.version}${size}`);
  // Rejects unless its hash is that of the engine.
  const bytes = await archive.bytes().catch((error: unknown) => {
    throw atLink(error);
  });
  const all = await unpacked(bytes);
  const files = all.filter(({ path }) => !isOfGit(path));
  notes.progress(undefined);
  // A name that is no plain word may lead out of this folder: then the tag's is taken.
  const folder =
    invocation.arguments.positionals[1] ?? (/^[\w-]+$/.test(engine.name) ? engine.name : tag.replace(/@.*$/, ""));
  await writeFiles(resolve(cwd, folder), files, isOn(invocation, "force"), signal);
  const exact = `${engine.name}@${engine.version}`;
  const { revision } = engine;
  const writer = await openOutput(
    invocation,
    filesShape(() => ({ tag: exact, folder, revision, bytes: bytes.byteLength, hash: hashOf(bytes) })),
    false,
  );
  await writer.write(files.map(fileRecord));
  await writer.end();
  if (all.length > files.length) {
    notes.warn(`.git of the archive is left out: git would run what its settings name`);
  }
  const count = `${files.length} ${files.length === 1 ? "file" : "files"}`;
  notes.note(safeText(`${exact}, revision ${revision}, is in ${folder}: ${count}, ${sayBytes(bytes.byteLength)}.`));
  return exitCodes.ok;
};

/** Whether a file is part of a repository: git runs programs that the settings of one name. */
const isOfGit = (path: string): boolean => path.split("/").some((part) => part.toLowerCase() === ".git");

/** Says of an error where the archive is that no setting of the user helps: a link gets no token, and leads where the server says. */
const atLink = (error: unknown): unknown =>
  isEngineError(error) && !isOfApi(error)
    ? new HintedError(error, "The link of the server leads there: try again later, or ask who runs the server.")
    : error;

/** Whether an engine or its link was asked for, or nothing, where tag or answer were of no use. */
const isOfApi = ({ url, reason }: EngineError): boolean =>
  reason._tag === "InvalidArgument" ||
  /\/engines\/[^/?]+(?:\/download)?(?:\?|$)/.test(url) ||
  ("problem" in reason && /download link|the engine has /.test(reason.problem));

/** Names a failed download of a found engine as a missing archive. */
const withoutArchive = (error: unknown, tag: string): unknown =>
  isEngineError(error) && error.reason._tag === "NotFound" && /\/download(?:\?|$)/.test(error.url)
    ? new UserError(`${safeText(tag)} has no archive`, exitCodes.notFound, "`bne push FOLDER` uploads one.")
    : error;
