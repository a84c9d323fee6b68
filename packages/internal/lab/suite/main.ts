// `pnpm cache-suite FOLDER [--write]`: the public cache suite against the proxy, nginx and Varnish.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { freePort, root, startProcess } from "@bytenite-engines/test-kit";
import { resultOf } from "@bytenite-engines/test-kit/process";
import { nginxByHttp, startNginx, startVarnish, varnishByHttp } from "../bench/edge/Peers.ts";

interface Suite {
  readonly tests: ReadonlyArray<{
    readonly browser_only?: boolean;
    readonly tests: ReadonlyArray<{ readonly id: string; readonly kind?: string; readonly browser_only?: boolean }>;
  }>;
  readonly isPassed: (id: string, results: object) => boolean;
}

interface Product {
  readonly name: string;
  readonly start: (
    upstream: string,
  ) => Promise<{ readonly port: number; readonly stop: () => Promise<void> } | undefined>;
}

/** Longest run of the suite against one product, in milliseconds. */
const maxRunMs = 600_000;

const versionOf = (command: string, argument: string): string => {
  const { stdout, stderr } = spawnSync(command, [argument], { encoding: "utf8" });
  return /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0] ?? "not installed";
};

const products: ReadonlyArray<Product> = [
  {
    name: "this proxy",
    start: async (upstream) => {
      const { said, stop } = await startProcess([
        "apps/worker/scripts/rfc-cache.ts",
        "--port",
        "0",
        "--upstream",
        upstream,
      ]);
      return { port: Number(new URL(said).port), stop: () => stop() };
    },
  },
  {
    name: `nginx ${versionOf("nginx", "-v")}`,
    start: (upstream) => startNginx(upstream, nginxByHttp),
  },
  {
    name: `Varnish ${versionOf("varnishd", "-V")}`,
    start: (upstream) => startVarnish(upstream, varnishByHttp),
  },
];

const suiteIn = async (folder: string): Promise<Suite> => {
  const load = async (file: string): Promise<Record<string, never>> => import(pathToFileURL(join(folder, file)).href);
  const { default: tests } = (await load("tests/index.mjs")) as unknown as { readonly default: Suite["tests"] };
  const { determineTestResult, resultTypes } = (await load("test-engine/lib/results.mjs")) as unknown as {
    readonly determineTestResult: (tests: Suite["tests"], id: string, results: object) => unknown;
    readonly resultTypes: Readonly<Record<string, unknown>>;
  };
  return { tests, isPassed: (id, results) => determineTestResult(tests, id, results) === resultTypes["pass"] };
};

/** Results by test. */
const run = async (folder: string, product: Product): Promise<object | undefined> => {
  const port = await freePort();
  const settings = {
    ...process.env,
    npm_config_protocol: "http",
    npm_config_port: `${port}`,
    npm_config_pidfile: "/dev/null",
    npm_package_config_id: "",
  };
  const origin = spawn(process.execPath, ["test-engine/server/server.mjs"], {
    cwd: folder,
    env: settings,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(origin.stdout, "data");
  const peer = await product.start(`http://127.0.0.1:${port}`);
  if (peer !== undefined) process.stderr.write(`running the suite against ${product.name}\n`);
  const client =
    peer &&
    (await resultOf(
      spawn(process.execPath, ["--no-warnings", "test-engine/cli.mjs"], {
        cwd: folder,
        env: { ...settings, npm_config_base: `http://127.0.0.1:${peer.port}` },
        timeout: maxRunMs,
      }),
      "",
    ));
  await peer?.stop();
  origin.kill();
  return client === undefined ? undefined : (JSON.parse(client.stdout.slice(client.stdout.indexOf("{"))) as object);
};

/** Passed tests of a kind, and how many there are: `158 of 160`. */
const countOf = ({ tests, isPassed }: Suite, kind: string, results: object): string => {
  const ids = tests.flatMap((part) =>
    part.tests.flatMap((test) =>
      (test.kind ?? "required") === kind && !(test.browser_only ?? part.browser_only ?? false) ? [test.id] : [],
    ),
  );
  return `${ids.filter((id) => isPassed(id, results)).length} of ${ids.length}`;
};

const page = join(root, "docs/guides/from-varnish-or-nginx.md");
const begin = "<!-- written by `pnpm cache-suite FOLDER --write` -->";
const end = "<!-- end -->";

const tableOf = (lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const rule = widths.map((width) => "-".repeat(width));
  const [head = [], ...rest] = lines;
  return [head, rule, ...rest]
    .map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`)
    .join("\n");
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false } },
});
const folder = resolve(positionals[0] ?? "");
if (positionals.length !== 1 || !existsSync(join(folder, "test-engine/cli.mjs"))) {
  process.stderr.write(
    "Usage: pnpm cache-suite FOLDER [--write]. FOLDER is a clone of github.com/http-tests/cache-tests with `npm install` done.\n",
  );
  process.exit(2);
}
const suite = await suiteIn(folder);
const rows = [["", "required", "optimal"]];
for (const product of products) {
  const results = await run(folder, product);
  if (results === undefined) continue;
  rows.push([product.name, ...["required", "optimal"].map((kind) => countOf(suite, kind, results))]);
}
const table = tableOf(rows);
process.stdout.write(`${table}\n`);
if (values.write) {
  const text = readFileSync(page, "utf8");
  const [before = "", rest = ""] = text.split(begin);
  writeFileSync(page, `${before}${begin}\n\n${table}\n\n${end}${rest.split(end)[1] ?? ""}`);
}
