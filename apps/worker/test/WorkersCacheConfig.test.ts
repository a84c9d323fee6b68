// wrangler.jsonc as it is, and with what it says to uncomment for Workers Cache: both must be deployable.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { builtFile } from "../scripts/built.ts";

const wranglerFile = fileURLToPath(new URL("../wrangler.jsonc", import.meta.url));
const wrangler = fileURLToPath(new URL("../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** What `wrangler deploy --dry-run` says of a configuration. */
const dryRun = (configuration: string): { readonly code: number | null; readonly output: string } => {
  const folder = mkdtempSync(join(tmpdir(), "bytenite-wrangler-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "wrangler.jsonc");
  writeFileSync(file, configuration.replace('"dist/worker.js"', JSON.stringify(builtFile)));
  const { status, stdout, stderr } = spawnSync(process.execPath, [wrangler, "deploy", "--dry-run", "--config", file], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  return { code: status, output: stdout + stderr };
};

const configuration = readFileSync(wranglerFile, "utf8");
/** The lines after the one that says so lose their slashes; the switch is on. */
const switchedOn = configuration
  .replace(
    /(Uncomment for Workers Cache[^\n]*\n)((?: *\/\/ .*\n)+)/,
    (_all, head: string, lines: string) => head + lines.replaceAll(/^( *)\/\/ /gm, "$1"),
  )
  .replace('"WORKERS_CACHE": "off"', '"WORKERS_CACHE": "on"');

test.each([
  ["as it is", configuration, "off"],
  ["with Workers Cache", switchedOn, "on"],
])("wrangler takes it %s, without a warning", (_name, text, value) => {
  const { code, output } = dryRun(text);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output).toContain(`env.WORKERS_CACHE ("${value}")`);
  expect(output).not.toMatch(/warning/i);
});

const json = (text: string) =>
  JSON.parse(text.replaceAll(/^\s*\/\/.*$/gm, "").replaceAll(/,(\s*[}\]])/g, "$1")) as Record<string, unknown>;

test("switched on, the default entrypoint is not cached and only the sealed one is; as it is, none is", () => {
  expect(json(configuration)).not.toHaveProperty("cache");
  expect(json(switchedOn)).toMatchObject({
    cache: { enabled: true },
    exports: {
      default: { type: "worker", cache: { enabled: false } },
      SealedExchange: { type: "worker", cache: { enabled: true } },
    },
  });
});
