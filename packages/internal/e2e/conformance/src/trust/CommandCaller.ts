// Runs of `bne` processes over one field numbering.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { startForeignRegistry, type ForeignServers, type Way } from "../ForeignServers.ts";
import type { Part } from "./Tally.ts";

/** What Node is to start for `bne`, as built. */
export const builtBne: ReadonlyArray<string> = [
  fileURLToPath(new URL("../../../../../cli/bin/bne.js", import.meta.url)),
];

const main = new URL("../../../../../cli/src/main.ts", import.meta.url).href;
/** The same from its sources, which start more slowly. */
export const sourcesOfBne: ReadonlyArray<string> = [
  "-e",
  `import(${JSON.stringify(main)}).then(({ main }) => main(process.argv.slice(1)))`,
];

const commands = [["list"], ["get", "full@3.7"], ["status", "full@3.7"], ["get", "e1"]] as const;

/** Output of one command, and the formats of its answers. */
interface Printed {
  readonly text: string;
  /** Content-Type of each answer. */
  readonly mediaTypes: ReadonlyArray<string>;
}

/** Runs the commands before and after `bne doctor`; what they know lies in a directory of their own. */
export const tryCommands = async (
  start: ReadonlyArray<string>,
  servers: ForeignServers,
  way: Way,
  seed: number,
): Promise<Part> => {
  await using registry = await startForeignRegistry(seed, true);
  const token = `t-${seed}`;
  const home = await mkdtemp(join(tmpdir(), "trust-commands-"));
  try {
    const run = (url: string, ...parameters: ReadonlyArray<string>) => bne(start, home, url, token, parameters);
    const truth: Array<string> = [];
    for (const command of commands) truth.push((await run(registry.url, ...command, "--wire-format", "json")).text);
    const url = servers.urlBy(way, token, registry);
    const wrong: Array<string> = [];
    const round = async (): Promise<{ readonly requests: number; readonly regained: number }> => {
      let requests = 0;
      let regained = 0;
      for (const [index, command] of commands.entries()) {
        const { text, mediaTypes } = await run(url, ...command);
        if (text !== truth[index]) wrong.push(`numbering ${seed}: ${command.join(" ")}: ${text}, not ${truth[index]}`);
        requests += mediaTypes.length;
        if (mediaTypes.length === 1 && mediaTypes[0]?.includes("json") === false) regained += 1;
      }
      return { requests, regained };
    };
    const plain = await round();
    // It exits with 7 where the numbers are not ours.
    await run(url, "doctor").catch(() => {});
    const last = await round();
    const files = await readdir(home, { recursive: true });
    const profiles = files.filter((file) => /field-numbers.*\.json$/.test(file)).length;
    if (profiles !== 1) wrong.push(`numbering ${seed}: ${profiles} profiles were written`);
    return {
      calls: commands.length,
      compared: 2 * commands.length,
      wrong,
      requests: { plain: plain.requests, last: last.requests },
      regained: last.regained,
      // A sample may be due in any of them.
      incomplete: [],
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
};

const bne = async (
  start: ReadonlyArray<string>,
  home: string,
  baseUrl: string,
  token: string,
  parameters: ReadonlyArray<string>,
): Promise<Printed> => {
  const args = [...start, ...parameters, "--output", "json", "--trace"];
  const { code, stdout, stderr } = await runBne(args, home, { BYTENITE_BASE_URL: baseUrl, BYTENITE_TOKEN: token });
  if (code !== 0) throw new Error(`bne ${parameters.join(" ")} ended with ${code}: ${stderr}`);
  return { text: stdout, mediaTypes: stderr.split("\n").flatMap(mediaTypeOf) };
};

/** Runs `bne` with these arguments of Node in a home that nothing else knows. */
export const runBne = (
  args: ReadonlyArray<string>,
  home: string,
  settings: Readonly<Record<string, string>>,
): Promise<Result> => {
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_CACHE_HOME: join(home, "cache"),
    XDG_CONFIG_HOME: join(home, "config"),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(home, "no-bus")}`,
    ...settings,
  };
  return resultOf(spawn(process.execPath, args, { env, cwd: home }), "");
};

/** The Content-Type of the answer that a line of `--trace` is about. */
const mediaTypeOf = (line: string): ReadonlyArray<string> => {
  if (!line.startsWith('{"time"')) return [];
  const event = JSON.parse(line) as { readonly type: string; readonly mediaType?: string };
  return event.type === "response" ? [event.mediaType ?? ""] : [];
};
