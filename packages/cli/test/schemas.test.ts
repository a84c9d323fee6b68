// What commands write with --output json is what `bne commands` says.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { commands, flagsOf } from "../src/parse/CommandTable.ts";
import { watchForms } from "../src/parse/EngineCommands.ts";
import { outputForms } from "../src/parse/Flags.ts";
import { bne } from "./Bne.ts";
import { archives, trial } from "./Trial.ts";

const { registry, home, alice, bob } = await trial();
const archived = await archives(home, "hello");
await registry.publish("bob", {
  name: "full",
  version: "1.0",
  platformConfig: { container: "x/y", privateImage: true, username: "bob", token: "secret", secrets: ["a"] },
  deviceRequirements: { minCpu: 1.5, minMemory: 2, gpu: ["T4"] },
});

await registry.publish("bob", { name: "bare", version: "1.0" });
writeFileSync(join(home.path, "one.json"), '{"name": "one", "version": "1.0"}');
await bne(home, ["registry", "import", "one.json", "--user", "bob", "--database", "exported.db"]);

interface Described {
  readonly commands: ReadonlyArray<{ readonly name: string; readonly output?: object }>;
  readonly errors: object;
}

const described = JSON.parse((await alice("commands", "-o", "json")).stdout) as Described;
const ajv = new Ajv2020({ strict: false, formats: { "date-time": true } });
const problems = (schema: object | undefined, value: unknown): unknown => {
  if (schema === undefined) return "there is no schema";
  const validate = ajv.compile(schema);
  return validate(value) ? [] : validate.errors;
};
const schemaOf = (name: string): object | undefined =>
  described.commands.find((one) => one.name === `bne ${name}`)?.output;

test("every command that has --output json or writes NDJSON has a schema, and no other", () => {
  const writing = commands.filter(
    (command) =>
      command.path.at(-1) === "export" ||
      flagsOf(command).some(
        ({ name, choices }) => name === "output" && [outputForms, watchForms].includes(choices as never),
      ),
  );
  expect(described.commands.filter(({ output }) => output !== undefined).map(({ name }) => name)).toEqual(
    writing.map(({ path }) => `bne ${path.join(" ")}`),
  );
});

/** Commands about engines that have archives. */
const archivedNames: ReadonlySet<string> = new Set(["push", "pull", "activate", "deactivate", "delete"]);

for (const [name, ...lines] of [
  ["list", "list", "list --all", "list --type assembler --limit 1", "list --name nothing"],
  ["get", "get full", "get full word-count", "get bare"],
  ["status", "status full", "status full word-count"],
  ["versions", "versions word-count"],
  ["export", "export full", "export bare"],
  ["validate", "validate hello"],
  ["push", "push hello --dry-run", "push hello"],
  ["pull", "pull hello copy"],
  ["activate", "activate hello", "activate hello hello@0.1"],
  ["deactivate", "deactivate hello"],
  ["delete", "delete hello@0.1 --yes"],
  ["registry export", "registry export --database exported.db"],
  ["registry import", "registry import hello --user bob --database schemas.db"],
  ...["activate", "deactivate", "make-public", "make-private", "delete"].map(
    (name) => [`registry ${name}`, `registry ${name} hello@0.1 --user bob --database schemas.db`] as const,
  ),
  ["registry users", "registry users --database schemas.db"],
  ["registry users create", "registry users create eve --database schemas.db"],
  ["registry quota", "registry quota eve --max-bytes 5 --database schemas.db"],
  ["registry users delete", "registry users delete eve --yes --database schemas.db"],
  ["registry engines", "registry engines --database schemas.db"],
  ["registry audit", "registry audit --database schemas.db"],
  ["registry statistics", "registry statistics --database schemas.db"],
  ["registry token create", "registry token create --user bob --database schemas.db"],
  ["registry token list", "registry token list --database schemas.db"],
  ["registry check", "registry check --database schemas.db"],
  ["wait", "wait word-count --for exists", "wait gone --for deleted", "wait full word-count --for exists"],
  ["watch", "watch full --timeout 300ms"],
  ["diff", "diff word-count@0.9 word-count@0.10", "diff full full"],
  ["doctor", "doctor"],
  ["auth status", "auth status"],
  ["profile list", "profile list"],
  ["config path", "config path"],
  ["config get", "config get", "config get output", "config get --show-origin"],
  ["version", "version"],
  ["commands", "commands"],
] as const) {
  test(`bne ${name} writes what its schema says`, async () => {
    for (const line of lines) {
      const form = name === "watch" ? "ndjson" : "json";
      const words = [...line.split(" "), ...(name.endsWith("export") ? [] : ["-o", form])];
      const { stdout } = await (archivedNames.has(name) ? bne(home, words, { env: archived.env }) : bob(...words));
      expect({ line, problems: problems(schemaOf(name), JSON.parse(stdout.trim())) }).toEqual({ line, problems: [] });
      expect(problems(schemaOf(name), 5)).not.toEqual([]);
    }
  });
}

test("creating, listing and revoking a token or an API key is written as its schema says", async () => {
  const own = ["--database", "credentials.db", "-o", "json"];
  const asSchema = async (name: string, ...more: ReadonlyArray<string>): Promise<unknown> => {
    const { stdout } = await bne(home, [...name.split(" "), ...more, ...own]);
    expect({ name, problems: problems(schemaOf(name), JSON.parse(stdout)) }).toEqual({ name, problems: [] });
    return JSON.parse(stdout);
  };
  for (const word of ["token", "key"]) {
    const user = ["--user", "dora", "--create-user"];
    const { id } = (await asSchema(`registry ${word} create`, ...user)) as { readonly id: string };
    expect(await asSchema(`registry ${word} list`)).toContainEqual(expect.objectContaining({ id, user: "dora" }));
    expect(await asSchema(`registry ${word} revoke`, id)).toMatchObject({ id });
    for (const done of ["create", "list", "revoke"]) {
      expect(problems(schemaOf(`registry ${word} ${done}`), { id: 5 })).not.toEqual([]);
    }
  }
});

test("errors are what their schema says", async () => {
  for (const line of [
    "get nothing",
    "list --nope",
    "config set output xml",
    "list --base-url http://127.0.0.1:9/v1/dev",
  ]) {
    const { stderr } = await bob(...line.split(" "), "--trace", "--quiet");
    const last = stderr.trim().split("\n").at(-1) ?? "";
    expect({ line, problems: problems(described.errors, JSON.parse(last)) }).toEqual({ line, problems: [] });
  }
});
