// bne commands and version.
import { exitCodeMeanings, exitCodes } from "../Errors.ts";
import type { Invocation } from "../Invocation.ts";
import { openOutput, outputOptions } from "../output/Output.ts";
import { textAt, type Shape } from "../output/Shape.ts";
import { usageOf } from "../parse/Arguments.ts";
import { nameOf, type Command, type Flag } from "../parse/Command.ts";
import { commands, flagsOf } from "../parse/CommandTable.ts";
import { topicNames } from "../parse/Topics.ts";
import { version } from "../Version.ts";
import { errorSchema, outputSchemas, schemaVersion } from "./Schemas.ts";

const fields = ["name", "summary", "aliases", "values", "flags", "details", "examples", "output"];

const shape: Shape = {
  columns: [
    { path: "name", kind: "text" },
    { path: "summary", kind: "text", leastCells: 20 },
  ],
  known: fields,
  nameOf: (record) => textAt(record, "name"),
  document: {
    key: "commands",
    rest: () => ({
      schemaVersion,
      version,
      exitCodes: exitCodeMeanings.map(([code, meaning]) => ({ code, meaning })),
      topics: [...topicNames],
      errors: errorSchema,
    }),
  },
};

export const run = async (invocation: Invocation): Promise<number> => {
  const writer = await openOutput(invocation, shape);
  await writer.write(commands.map((command) => ({ json: described(command) })));
  await writer.end();
  return exitCodes.ok;
};

/** The version alone; in other forms also the Node that runs it. */
export const printVersion = async (invocation: Invocation): Promise<number> => {
  const { form, jq, columns } = outputOptions(invocation);
  if (form === "table" && jq === undefined && columns === undefined) {
    await invocation.stdout.write(`${version}\n`);
    return exitCodes.ok;
  }
  const known = ["version", "node", "platform"];
  const writer = await openOutput(invocation, {
    columns: known.map((path) => ({ path, kind: "text" })),
    known,
    nameOf: () => version,
    document: "one",
  });
  const { platform, arch, versions } = process;
  await writer.write([{ json: { version, node: versions.node, platform: `${platform}-${arch}` } }]);
  await writer.end();
  return exitCodes.ok;
};

const described = (command: Command) => {
  const output = outputSchemas[command.path.join(" ")];
  return { ...ofTable(command), ...(output === undefined ? {} : { output }) };
};

const ofTable = (command: Command) => ({
  name: nameOf(command),
  summary: command.summary,
  aliases: (command.aliases ?? []).map((path) => `bne ${path.join(" ")}`),
  values: (command.positionals ?? []).map((positional) => ({
    name: positional.name,
    usage: usageOf(positional),
    summary: positional.summary,
    optional: positional.optional ?? false,
    many: positional.many ?? false,
  })),
  flags: flagsOf(command).map(describedFlag),
  details: [...(command.details ?? [])],
  examples: command.examples.map(({ line, explains, exit = 0 }) => ({ line, explains, exit })),
});

const describedFlag = ({ name, short, kind, value, choices, least, summary }: Flag) => ({
  name: `--${name}`,
  ...(short === undefined ? {} : { short: `-${short}` }),
  kind,
  ...(value === undefined ? {} : { value }),
  ...(choices === undefined ? {} : { choices: [...choices] }),
  ...(least === undefined ? {} : { least }),
  summary,
});
