// GitHub workflows: valid, pinned, with minimal permissions.
import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser";
import { expect, test } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("..", import.meta.url));
const workflows = globSync(".github/workflows/*", { cwd: root });

type Permissions = Readonly<Record<string, "read" | "write">>;

interface Job {
  readonly permissions?: Permissions;
  readonly env?: Readonly<Record<string, string>>;
  readonly uses?: string;
  readonly steps?: ReadonlyArray<{ readonly uses?: string; readonly run?: string; readonly with?: object }>;
}

interface Workflow {
  readonly permissions?: Permissions;
  readonly jobs: Readonly<Record<string, Job>>;
}

const textOf = (workflow: string): string => readFileSync(join(root, workflow), "utf8");
const jobsOf = (workflow: string): ReadonlyArray<readonly [string, Job]> =>
  Object.entries((parse(textOf(workflow)) as Workflow).jobs);

const problemsOf = async (content: string): Promise<ReadonlyArray<string>> => {
  const { context, value } = parseWorkflow({ name: "workflow.yml", content }, new NoOperationTraceWriter());
  if (value !== undefined) await convertWorkflowTemplate(context, value);
  return context.errors.getErrors().map(({ message }) => message);
};

test("there are the two workflows", () => {
  expect(workflows.toSorted()).toEqual([".github/workflows/ci.yml", ".github/workflows/release.yml"]);
});

test.for(workflows)("%s is valid", async (workflow) => {
  expect(await problemsOf(textOf(workflow))).toEqual([]);
});

test.for([
  ["a wrong key", "    stepz: []\n"],
  ["an unknown permission", "    permissions:\n      tokens: write\n    steps: [{ run: a }]\n"],
  ["a job that there is not", "    needs: other\n    steps: [{ run: a }]\n"],
  ["an expression that cannot be", "    steps: [{ run: a, if: ((a }]\n"],
])("%s would be seen", async ([, lines]) => {
  const head = "on: push\njobs:\n  a:\n    runs-on: x\n";
  expect(await problemsOf(`${head}${lines}`)).not.toEqual([]);
  expect(await problemsOf(`${head}    steps: [{ run: a }]\n`)).toEqual([]);
});

test.for(workflows)("%s runs only actions that are pinned by commit, with the version in a comment", (workflow) => {
  const lines = textOf(workflow)
    .split("\n")
    .filter((line) => /^\s*-?\s*uses:/.test(line));
  const pinned = /uses: [\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
  const own = /uses: \.\/(\.github\/workflows\/[\w-]+\.yml)$/;
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter((line) => !pinned.test(line) && !existsSync(join(root, own.exec(line)?.[1] ?? "none")))).toEqual(
    [],
  );
});

test("every action is pinned to one commit everywhere", () => {
  const uses = workflows.flatMap((workflow) => [...textOf(workflow).matchAll(/uses: ([\w-]+\/[\w-]+)\S*@(\S+)/g)]);
  const commits = Map.groupBy(uses, ([, action]) => action);
  for (const found of commits.values()) expect(new Set(found.map(([, , commit]) => commit)).size).toBe(1);
});

test.for(workflows)("%s gives nothing by default, and each job what it names", (workflow) => {
  expect((parse(textOf(workflow)) as Workflow).permissions).toEqual({});
  for (const [, job] of jobsOf(workflow)) expect(job.permissions).toBeDefined();
});

test("only releasing may write, and only publishing may say who it is to the registry", () => {
  const writing = workflows.flatMap((workflow) =>
    jobsOf(workflow).flatMap(([name, { permissions = {} }]) =>
      Object.entries(permissions).flatMap(([scope, access]) => (access === "write" ? [`${name}: ${scope}`] : [])),
    ),
  );
  expect(writing.toSorted()).toEqual([
    "publish: contents",
    "publish: id-token",
    "version: contents",
    "version: pull-requests",
  ]);
});

test("pnpm reads from the environment of publishing that it is to be with provenance", async () => {
  const { env } = Object.fromEntries(jobsOf(".github/workflows/release.yml"))["publish"] ?? {};
  const args = ["-y", "pnpm@12", "config", "get", "provenance"];
  const { stdout } = await promisify(execFile)("npx", args, { cwd: root, env: { ...process.env, ...env } });
  expect(stdout.trim()).toBe("true");
});

test("no checkout leaves its token behind", () => {
  const checkouts = workflows
    .flatMap(jobsOf)
    .flatMap(([, { steps = [] }]) => steps.filter(({ uses }) => uses?.startsWith("actions/checkout@")));
  expect(checkouts.length).toBeGreaterThan(0);
  for (const { with: given } of checkouts) expect(given).toMatchObject({ "persist-credentials": false });
});

test("what they run of ours exists", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly scripts: object };
  const lines = workflows
    .flatMap(jobsOf)
    .flatMap(([, { steps = [] }]) => steps.flatMap(({ run }) => (run === undefined ? [] : [run])));
  const ours = lines.filter((line) => !/^(?:npm install --global pnpm@12|pnpm install --frozen-lockfile)$/.test(line));
  expect(ours).toContain(".ci/run");
  expect(
    ours.filter((line) => {
      const [, verb] = /^pnpm ([\w-]+)/.exec(line) ?? [];
      return verb === undefined ? !existsSync(join(root, line)) : !Object.hasOwn(scripts, verb);
    }),
  ).toEqual([]);
});
