import { UsageError } from "@bytenite-engines/registry/command";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseCommandLine, type Arguments } from "./Arguments.ts";
import { commands, flagsOf } from "./CommandTable.ts";
import { flagsElsewhere } from "./Flags.ts";

const read = (...argv: ReadonlyArray<string>): Arguments => {
  const request = parseCommandLine(argv);
  if (request.kind !== "run") throw new Error(`it is ${request.kind}`);
  return request.arguments;
};

/** What understanding ends in, when it fails. */
const failureOf = (argv: ReadonlyArray<string>): object | undefined => {
  try {
    parseCommandLine(argv);
    return undefined;
  } catch (error) {
    return error as object;
  }
};

test("flags stand before the command, behind it and between its values", () => {
  for (const argv of [
    ["-o", "json", "get", "a", "b", "-v"],
    ["get", "-ojson", "a", "-v", "b"],
    ["-v", "get", "a", "b", "--output=json"],
    ["get", "a", "-o=json", "b", "-v"],
  ]) {
    const { command, flags, positionals } = read(...argv);
    expect({ path: command.path, flags, positionals }).toEqual({
      path: ["get"],
      flags: { output: "json", verbose: true },
      positionals: ["a", "b"],
    });
  }
});

test("values get the kind of their flag, the last one holds", () => {
  expect(read("list", "--limit", "2", "--limit", "3", "--columns", "name, version,").flags).toEqual({
    limit: 3,
    columns: ["name", "version"],
  });
  expect(read("wait", "x", "--timeout", "1m30s").flags).toEqual({ timeout: 90_000 });
});

test("behind -- everything is a value", () => {
  expect(read("get", "--", "--output", "x").positionals).toEqual(["--output", "x"]);
});

test("a command of three words is one, and what begins one is a group", () => {
  expect(read("registry", "token", "create", "--user", "alice")).toMatchObject({
    command: { path: ["registry", "token", "create"] },
    flags: { user: "alice" },
  });
  expect(() => read("registry", "token")).toThrow("bne registry token needs one of: create, list, revoke");
  expect(() => read("registry", "token", "crate")).toThrow('There is no command bne registry token "crate"');
  expect(() => read("registry", "srve")).toThrow('There is no command bne registry "srve"');
});

test("help and version are seen wherever they stand", () => {
  expect(parseCommandLine(["auth", "login", "--help"])).toEqual({ kind: "help", words: ["auth", "login"] });
  expect(parseCommandLine(["list", "-V"])).toEqual({ kind: "version" });
  expect(parseCommandLine([])).toEqual({ kind: "help", words: [] });
});

test("any words are understood or refused as a usage error, and nothing else happens", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "list",
      "get",
      "auth",
      "--limit",
      "-o",
      "json",
      "--all",
      "--",
      "-",
      "--=x",
      "__proto__",
      "--__proto__",
      "--constructor=1",
    ),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      expect([undefined, UsageError]).toContain(failureOf(argv)?.constructor);
    }),
    { numRuns: 1_000 },
  );
});

test("a command line of a hundred thousand words is refused at once", () => {
  const words = Array.from({ length: 100_000 }, (_, index) => `file-${index}`);
  for (const command of ["frobnicate", "version"]) expect(failureOf([command, ...words])).toBeInstanceOf(UsageError);
});

test("words of other programs are not words of bne, and what is suggested for their flags is there", () => {
  const accepted = new Set(
    commands.flatMap(({ path, aliases = [] }) => [path, ...aliases].map((words) => words.join(" "))),
  );
  const elsewhere = commands.flatMap((command) => command.elsewhere ?? []);
  expect(elsewhere.filter((words) => accepted.has(words))).toEqual([]);
  expect(new Set(elsewhere).size).toBe(elsewhere.length);
  const flags = new Set(commands.flatMap(flagsOf).map(({ name }) => `--${name}`));
  const suggested = Object.values(flagsElsewhere).flatMap((texts) => texts.map((text) => /^[a-z-]+/.exec(text)?.[0]));
  expect(suggested.filter((word) => word !== "bne" && !flags.has(word ?? ""))).toEqual([]);
});

test("words and flags of other programs are answered with ours", () => {
  for (const [argv, hint] of [
    [["engines", "list"], "Did you mean bne list?"],
    [["describe", "zipper"], "Did you mean bne get?"],
    [["config", "use-context", "x"], "Did you mean bne profile use?"],
    [["registry", "token", "rm", "x"], "Did you mean bne registry token revoke?"],
    [["registry", "users", "rm", "x"], "Did you mean bne registry users delete?"],
    [["registry", "users", "creat", "x"], "Did you mean bne registry users create?"],
    [["completion", "-s", "bash"], "Did you mean bne completion SHELL?"],
    [["get", "-w", "zipper"], "Did you mean bne watch?"],
    [["version", "--short"], "Did you mean bne version --output name?"],
    [["login", "--kind=token"], "Did you mean --with-token or --with-api-key?"],
    [["auth", "login", "--api-key"], "Did you mean --with-api-key?"],
    [["--verison"], "Did you mean --version or"],
    [["list", "zipper"], "--name GLOB"],
    [["list", "--json"], "Did you mean --output json?"],
    [["list", "--format", "csv"], "Did you mean --output FORM?"],
    [["export", "--all", "-o", "x.ndjson"], "Did you mean --file FILE?"],
    [["wait", "zipper", "--timeout", "30"], "Did you mean 30s?"],
    [["raw", "-X", "POST", "/engines"], "Did you mean bne raw METHOD PATH?"],
    [["watch", "--for", "2s"], "Did you mean --timeout TIME?"],
    [["list", "--limit", "30d"], "Did you mean 30?"],
  ] as const) {
    let thrown: unknown;
    try {
      parseCommandLine(argv);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(UsageError);
    expect((thrown as UsageError).hint).toContain(hint);
  }
});
