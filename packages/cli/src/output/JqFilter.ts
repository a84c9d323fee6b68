// jq over JSON: jq itself, compiled to WebAssembly.
import { UsageError } from "@bytenite-engines/registry/command";
import { createRequire } from "node:module";
import { ndjson } from "./TextWriters.ts";
import type { RecordWriter, Write } from "./Shape.ts";

interface Jq {
  /** Undefined when the expression gives nothing. */
  readonly raw: (json: string, expression: string, flags: ReadonlyArray<string>) => string | undefined;
}

/** Records per run of jq. */
const recordsPerRun = 1_000;

/** Runs jq on JSON texts: results are lines of raw strings or compact JSON. */
export const jqOf = async (expression: string): Promise<(json: string) => string> => {
  const load = createRequire(import.meta.url);
  const jq = await (load("jq-web") as Promise<Jq>);
  return (json) => {
    try {
      const text = endedBySignals(() => jq.raw(json, withoutEnvironment(expression), ["-r", "-c"]) ?? "");
      return text === "" || text.endsWith("\n") ? text : `${text}\n`;
    } catch (error) {
      throw new UsageError(
        `--jq: ${problemOf(error, expression)}`,
        /^[A-Za-z]\w*(?:\.\w+)*$/.test(expression)
          ? `Did you mean .${expression}?`
          : "See https://jqlang.org/manual/ for the language.",
      );
    }
  };
};

const endingSignals = ["SIGINT", "SIGTERM"] as const;

/** Runs work that keeps listeners from running: meanwhile a signal has its default action, which ends the process. */
const endedBySignals = <T>(work: () => T): T => {
  const before = endingSignals.map((name) => [name, process.listeners(name)] as const);
  for (const name of endingSignals) process.removeAllListeners(name);
  try {
    return work();
  } finally {
    for (const [name, listeners] of before) for (const listener of listeners) process.on(name, listener);
  }
};

/** Hides the environment, which WebAssembly makes up. The line end closes a comment. */
const withoutEnvironment = (expression: string): string => `{} as $ENV | def env: {}; (${expression}\n)`;

/** The message of jq, without its place in the wrapped program. */
const problemOf = (error: unknown, expression: string): string => {
  const [, problem = "the expression failed", line] =
    /^jq: error(?: \(at [^)]*\))?: (.+?)(?: at <top-level>, line (\d+):)?$/m.exec((error as Error).message) ?? [];
  return Number(line) > expression.split("\n").length
    ? "the expression is not complete"
    : problem.replace(" (Unix shell quoting issues?)", "");
};

/** Runs the expression once over the whole document that `make` writes. */
export const jqOnDocument = (expression: string, make: (write: Write) => RecordWriter, write: Write): RecordWriter => {
  const pieces: Array<string> = [];
  const inner = make(async (chunk) => void pieces.push(String(chunk)));
  return {
    write: inner.write,
    end: async () => {
      await inner.end();
      await write((await jqOf(expression))(pieces.join("")));
    },
  };
};

/** Runs the expression over each record as it arrives. */
export const jqOnRecords = (expression: string, write: Write): RecordWriter => {
  let jq: Promise<(json: string) => string> | undefined;
  return {
    write: async (records) => {
      for (let start = 0; start < records.length; start += recordsPerRun) {
        jq ??= jqOf(expression);
        await write((await jq)(ndjson(records.slice(start, start + recordsPerRun))));
      }
    },
    end: async () => {
      // An invalid expression is an error even without input.
      if (jq === undefined) (await jqOf(expression))("");
    },
  };
};
