// Field numbers that are not ours, through the commands: processes that end, and remember what they learned in a file.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { startForeignRegistry, startForeignServers, ways, type ForeignServers } from "../src/ForeignServers.ts";

/** Random numberings for each way; TRUST_NUMBERINGS tries more, from the seed TRUST_FIRST on. */
const numberings = Number(process.env["TRUST_NUMBERINGS"] ?? 1);
const firstSeed = Number(process.env["TRUST_FIRST"] ?? 1);

vi.setConfig({ testTimeout: 60_000 + numberings * 30_000 });

/** The commands as built, `bin/bne.js`, where TRUST_BNE names it: they start faster, which counts where many are tried. */
const built = process.env["TRUST_BNE"];
/** Loads the commands as `bin/bne.js` does, from their sources. */
const loader = `import(${JSON.stringify(new URL("../../cli/src/main.ts", import.meta.url).href)}).then(({ main }) => main(process.argv.slice(1)))`;
const start = built === undefined ? ["-e", loader] : [built];

let servers: ForeignServers;

beforeAll(async () => {
  servers = await startForeignServers();
});
afterAll(() => servers?.stop());

/** Runs `bne` with a home of its own; its standard output. */
const bne = async (home: string, baseUrl: string, token: string, ...parameters: ReadonlyArray<string>) => {
  const { stdout } = await promisify(execFile)(process.execPath, [...start, ...parameters, "--output", "json"], {
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      XDG_CACHE_HOME: join(home, "cache"),
      XDG_CONFIG_HOME: join(home, "config"),
      BYTENITE_BASE_URL: baseUrl,
      BYTENITE_TOKEN: token,
    },
  });
  return stdout;
};

const commands = [["list"], ["get", "full@3.7"], ["status", "full@3.7"], ["get", "e1"]];

test.for(ways)("no command prints a wrong value for any numbering (%s)", async (way) => {
  const sum = { first: 0, last: 0, commands: 0 };
  for (let seed = firstSeed; seed < firstSeed + numberings; seed++) {
    await using registry = await startForeignRegistry(seed, true);
    const token = `t-${seed}`;
    const home = await mkdtemp(join(tmpdir(), "trust-commands-"));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const truth: Array<string> = [];
    for (const command of commands) truth.push(await bne(home, registry.url, token, ...command, "--format", "json"));
    const url = servers.urlBy(way, token, registry);
    const round = async (): Promise<number> => {
      registry.requests.length = 0;
      const printed: Array<string> = [];
      for (const command of commands) printed.push(await bne(home, url, token, ...command));
      expect([seed, printed]).toEqual([seed, truth]);
      return registry.requests.length;
    };
    sum.first += await round();
    sum.last += await round();
    sum.commands += commands.length;
    // What was learned lies in one file, and is there for the next run.
    const files = await readdir(home, { recursive: true });
    expect(files.filter((file) => /field-numbers.*\.json$/.test(file))).toHaveLength(1);
  }
  console.info(
    `${numberings} numberings ${way}: ${sum.commands} commands took ${sum.first} requests of the registry, then ${sum.last}`,
  );
  // One request per command but for samples, which come by chance.
  expect(sum.last).toBeLessThanOrEqual(sum.commands * 1.1);
});
