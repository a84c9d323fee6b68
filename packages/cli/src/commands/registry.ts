// `bne registry`: commands of the registry package.
import {
  executeRegistry,
  UsageError,
  UserError,
  type CommandOutput,
  type RegistryRow,
} from "@bytenite-engines/registry/command";
import type { JsonObject } from "@bufbuild/protobuf";
import { isEngineError } from "../Errors.ts";
import { numberOf, type Invocation } from "../Invocation.ts";
import { openOutput, outputOptions, formOf } from "../output/Output.ts";
import { textAt, type Column, type ColumnKind, type Shape } from "../output/Shape.ts";
import { nameOf, type Command } from "../parse/Command.ts";

/** Rows written at once: the first ones place the columns of a table. */
const rowsPerWrite = 100;

const userFields = ["name", "id", "engines", "disabledAt", "maxEngines", "maxBytes"];

/** Fields of each command's records, in their order; the first one is its name. */
const fields: Readonly<Record<string, ReadonlyArray<string>>> = {
  import: ["tag", "revision", "source"],
  activate: ["tag", "change"],
  deactivate: ["tag", "change"],
  "make-public": ["tag", "change"],
  "make-private": ["tag", "change"],
  delete: ["tag", "change"],
  check: ["problem"],
  users: userFields,
  "users create": userFields,
  "users disable": userFields,
  "users enable": userFields,
  "users delete": ["name", "engines", "handedOverTo"],
  quota: userFields,
  engines: ["tag", "owner", "status", "isPublic", "revision", "id", "updatedAt"],
  audit: ["at", "actor", "action", "subject", "detail"],
  statistics: ["users", "disabledUsers", "engines", "publicEngines", "credentials"],
  "token create": ["id", "user", "kind", "scope", "secret"],
  "token list": ["id", "user", "kind", "scope", "label", "state", "createdAt", "lastUsedAt"],
  "token revoke": ["id", "configuredIn"],
};

const kinds: Readonly<Record<string, ColumnKind>> = {
  revision: "number",
  ...Object.fromEntries(
    ["engines", "maxEngines", "maxBytes", "users", "disabledUsers", "publicEngines", "credentials"].map(
      (path) => [path, "number"] as const,
    ),
  ),
  status: "status",
  ...Object.fromEntries(
    ["createdAt", "lastUsedAt", "updatedAt", "disabledAt", "at"].map((path) => [path, "time"] as const),
  ),
};

/** Columns that are left out on a narrow terminal, the last ones first. */
const leftOut = [
  "scope",
  "lastUsedAt",
  "label",
  "createdAt",
  "isPublic",
  "maxEngines",
  "updatedAt",
  "maxBytes",
  "kind",
  "revision",
  "id",
];

/** Least cells of a text. Numbers and times are never cut. */
const leastCells = 8;

const columnOf = (path: string, index: number): Column => {
  const kind = kinds[path] ?? "text";
  const isRanked = index > 0 && leftOut.includes(path);
  return {
    path,
    kind,
    ...(index === 0 || kind === "number" || kind === "time" ? {} : { leastCells }),
    ...(isRanked ? { rank: leftOut.indexOf(path) } : {}),
  };
};

/** Commands that write one record, not a list. */
const single = new Set([
  "token create",
  "token revoke",
  "users create",
  "users disable",
  "users enable",
  "users delete",
  "quota",
  "statistics",
]);

export const run = async (invocation: Invocation): Promise<number> => {
  const { command, flags, positionals } = invocation.arguments;
  const words = command.path.slice(1);
  const name = words.join(" ").replace(/^key /, "token ");
  const own = new Set((command.flags ?? []).map((flag) => flag.name));
  const limit = numberOf(invocation, "limit");
  // One more row shows whether there are more.
  const asked = limit === undefined ? flags : { ...flags, limit: Math.min(limit + 1, mostRows) };
  const args = Object.entries(asked)
    .filter(([flag]) => own.has(flag))
    .map(([flag, value]) => (value === true ? `--${flag}` : `--${flag}=${String(value)}`));
  const what = listed[words.join(" ")];
  const writer = fields[name] === undefined ? undefined : await rowWriter(invocation, name, fields[name], what, limit);
  // It ends by itself, when all connections have.
  const work = executeRegistry([...words, ...args, "--", ...positionals], outputOf(invocation, writer));
  let code: number;
  try {
    code = await (name === "serve" ? work : untilAborted(work, invocation.signal));
    await writer?.end();
  } catch (error) {
    // What was done before is said. The document stays without its end.
    await writer?.flush();
    throw ofRegistry(error, command);
  }
  return code;
};

/** The result, or the reason of the signal once it is aborted. */
const untilAborted = <A>(work: Promise<A>, signal: AbortSignal): Promise<A> => {
  const aborted = new Promise<never>((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });
  return Promise.race([work, aborted]);
};

/** A failure of the registry's commands, as bne prints its own. */
const ofRegistry = (error: unknown, command: Command): unknown => {
  if (error instanceof UsageError && error.hint === undefined)
    return new UsageError(error.message, `See \`${nameOf(command)} --help\`.`);
  const { message, code } = error as { message: string; code?: unknown };
  return !isEngineError(error) && typeof code === "string" ? new UserError(message) : error;
};

/** Most rows that --limit can ask for. */
const mostRows = 999_999_999;

/** What the lists have. */
const listed: Readonly<Record<string, string>> = {
  users: "users",
  engines: "engines",
  audit: "changes",
  "token list": "tokens",
  "key list": "API keys",
};

interface RowWriter {
  readonly write: (row: RegistryRow) => Promise<void>;
  readonly flush: () => Promise<void>;
  readonly end: () => Promise<void>;
}

const outputOf = ({ stdout, notes }: Invocation, writer: RowWriter | undefined): CommandOutput => ({
  row: (row, line) => (writer === undefined ? stdout.write(`${line}\n`) : writer.write(row)),
  secret: (row, line) => (writer === undefined ? stdout.write(`${line}\n`) : writer.write(row)),
  done: async (line) => {
    if (writer === undefined) await stdout.write(`${line}\n`);
    else notes.note(line);
  },
  note: (line) => notes.note(line),
  problem: (line) => notes.line(notes.verbosity.json ? JSON.stringify({ type: "problem", message: line }) : line),
});

const rowWriter = async (
  invocation: Invocation,
  name: string,
  paths: ReadonlyArray<string>,
  what: string | undefined,
  limit = Infinity,
): Promise<RowWriter> => {
  const isOne = single.has(name);
  const shape: Shape = {
    columns: paths.map(columnOf),
    known: paths,
    nameOf: (record) => textAt(record, paths[0] ?? ""),
    document: isOne ? "one" : "array",
  };
  const form = formOf(outputOptions(invocation), shape);
  if (name === "token create" && form === "table") {
    // For a shell: TOKEN=$(bne registry token create ...).
    const write = ({ secret }: RegistryRow): Promise<void> => invocation.stdout.write(`${String(secret)}\n`);
    return { write, flush: async () => {}, end: async () => {} };
  }
  const writer = await openOutput(invocation, shape);
  let rows = 0;
  let waiting: Array<{ readonly json: JsonObject }> = [];
  const flush = async (): Promise<void> => {
    const records = waiting;
    waiting = [];
    if (records.length > 0) await writer.write(records);
  };
  return {
    flush,
    write: async (row) => {
      rows += 1;
      if (rows > limit) return;
      waiting.push({ json: { ...row } });
      // A secret that could not be written is revoked, so it does not wait.
      if (isOne || waiting.length >= rowsPerWrite) await flush();
    },
    end: async () => {
      await flush();
      await writer.end();
      if (rows > limit) {
        invocation.notes.note(`${limit} ${what}, and there are more; without --limit all are shown.`, { shown: limit });
      } else if (what !== undefined && rows === 0) invocation.notes.note(`No ${what}.`, { shown: 0 });
    },
  };
};
