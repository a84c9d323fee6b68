// bne new: the folder of an engine, with its manifest.
import { didYouMean, parseTag } from "@bytenite-engines/core/wire";
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { reasonOf, writeAtomically } from "../config/Files.ts";
import { codeFolder, engineTypes, manifestName } from "../engine/EngineFolder.ts";
import { FileError, exitCodes } from "../Errors.ts";
import { positional, textOf, type Invocation } from "../Invocation.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes, cwd } = invocation;
  const name = positional(invocation, 0);
  if (parseTag(name)?.name !== name) {
    throw new UsageError(
      `${JSON.stringify(name.slice(0, 100))} cannot be the name of an engine`,
      "A name is 1 to 64 letters, digits, - or _.",
    );
  }
  const type = typeOf(textOf(invocation, "type"));
  const folder = resolve(cwd, name);
  if (existsSync(join(folder, manifestName))) {
    throw new UserError(`${join(name, manifestName)} is there already`, exitCodes.notMet, "Nothing was changed.");
  }
  try {
    mkdirSync(join(folder, codeFolder), { recursive: true });
  } catch (error) {
    throw new FileError(`Cannot make ${join(name, codeFolder)}: ${reasonOf(error)}`, { cause: error });
  }
  writeAtomically(join(folder, manifestName), manifestText(name, type));
  notes.note(
    `${join(name, manifestName)} is made. Put the code into ${join(name, codeFolder, "main.py")}, then \`bne push ${name}\`.`,
  );
  return exitCodes.ok;
};

const typeOf = (text: string | undefined): string => {
  const known = engineTypes.join(" or ");
  if (text === undefined)
    throw new UsageError(`bne new needs --type ${known}`, "A partitioner splits work, an assembler merges results.");
  if ((engineTypes as ReadonlyArray<string>).includes(text)) return text;
  throw new UsageError(
    `--type must be ${known}, not ${JSON.stringify(text.slice(0, 100))}`,
    didYouMean(text, engineTypes),
  );
};

const manifestText = (name: string, type: string): string =>
  `${JSON.stringify(
    {
      name,
      version: "0.1",
      type,
      description: "",
      entrypoint: "main.py",
      platform: "docker",
      platform_config: { container: "python:3.13-slim" },
      device_requirements: { min_cpu: 1, min_memory: 1 },
    },
    null,
    2,
  )}\n`;
