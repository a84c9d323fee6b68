// Prints which files are read.
import { textAt } from "../../output/Column.ts";
import { existsSync } from "node:fs";
import { exitCodes } from "../../ExitCode.ts";
import type { Invocation } from "../../Invocation.ts";
import { openOutput } from "../../output/OpenOutput.ts";
import type { Shape } from "../../output/Shape.ts";
import { credentialsFile } from "../../settings/CredentialStore.ts";

const fields = ["name", "path", "exists"];

const shape: Shape = {
  columns: fields.map((path) => ({ path, kind: "text" })),
  known: fields,
  nameOf: (record) => textAt(record, "path"),
  document: "array",
};

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, directories } = invocation;
  const writer = await openOutput(invocation, shape);
  const files = {
    settings: settings.userFile,
    credentials: credentialsFile(settings.userFile),
    ...(settings.projectFile === undefined ? {} : { project: settings.projectFile }),
    cache: directories.cache,
  };
  await writer.write(Object.entries(files).map(([name, path]) => ({ json: { name, path, exists: existsSync(path) } })));
  await writer.end();
  return exitCodes.ok;
};
