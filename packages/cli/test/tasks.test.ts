// Twenty tasks of a new user, solved with the words of help.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { bne, installed } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();
const env = installed(home, registry, "alice");
writeFileSync(join(home.path, "main.py"), "print(1)\n");

interface Task {
  readonly task: string;
  /** Command lines of help that are read for it, `bne --help` aside. */
  readonly help: ReadonlyArray<string>;
  readonly line: string;
  /** What is printed on both streams. */
  readonly shows: RegExp;
  /** Default 0. */
  readonly exit?: number;
}

/** In the order in which somebody would come to them. */
const tasks: ReadonlyArray<Task> = [
  { task: "see my engines", help: [], line: "bne list", shows: /^name +version[^]*\nzipper / },
  { task: "see all that is known of one", help: [], line: "bne get zipper", shows: /^platformConfig\.container/m },
  {
    task: "count the assemblers",
    help: ["list"],
    line: "bne list --all --type assembler --jq '.engines | length'",
    shows: /^\d+\n\d+ of \d+ engines match; bne filters them, not the server\.\n$/,
  },
  {
    task: "find the latest version of an engine",
    help: ["versions"],
    line: "bne versions zipper --output name",
    shows: /^zipper@0\.1\n/,
  },
  {
    task: "save one field of an engine into a file",
    help: ["get"],
    line: "bne get zipper --jq .hash > hash.txt && wc -l < hash.txt",
    shows: /^1\n$/,
  },
  {
    task: "get a spreadsheet of all engines",
    help: ["list"],
    line: "bne list --all --output csv > engines.csv && head -n 1 engines.csv",
    shows: /^name,version,/,
  },
  {
    task: "back everything up",
    help: ["export"],
    line: "bne export --all --file backup.ndjson",
    shows: /^\d+ engines in backup\.ndjson\n$/,
  },
  { task: "learn whether my login works", help: ["auth"], line: "bne auth status", shows: /accepted +true/ },
  {
    task: "find out why a server does not answer",
    help: ["doctor"],
    line: "bne doctor --base-url http://127.0.0.1:9/v1/dev",
    shows: /Not well: /,
    exit: 7,
  },
  {
    task: "begin an engine",
    help: ["new"],
    line: "bne new first --type assembler && cp main.py first/app",
    shows: /first\/manifest\.json is made/,
  },
  {
    task: "check it before anybody sees it",
    help: ["validate"],
    line: "bne validate first",
    shows: /first@0\.1 is valid/,
  },
  {
    task: "see what would be sent",
    help: ["push"],
    line: "bne push first --dry-run",
    shows: /app\/main\.py.*\n.*would be created/s,
  },
  {
    task: "upload it so that it can be used",
    help: ["push"],
    line: "bne push first --activate",
    shows: /is created, revision 1, active/,
  },
  {
    task: "wait in a script until it is active",
    help: ["wait"],
    line: "bne wait first@0.1 --for active --timeout 10s && echo go",
    shows: /go\n$/,
  },
  {
    task: "get it onto another machine",
    help: ["pull"],
    line: "bne pull first elsewhere && ls elsewhere/app",
    shows: /\nmain\.py\n/,
  },
  {
    task: "compare two engines",
    help: ["diff"],
    line: "bne diff first zipper",
    shows: /^[-+].*type|^[-+].*description/m,
    exit: 7,
  },
  { task: "take it out of use", help: [], line: "bne deactivate first", shows: /inactive/ },
  {
    task: "remove it for good",
    help: ["delete"],
    line: "bne delete first@0.1 --yes && bne get first@0.1",
    shows: /Not found/,
    exit: 3,
  },
  {
    task: "keep two servers apart",
    help: ["profile set", "list"],
    line: `bne profile set local --base-url ${registry.url} && bne list --profile local --output name`,
    shows: /zipper@0\.1/,
  },
  {
    task: "run a registry of my own, with a user",
    help: ["registry", "registry token create"],
    line: "bne registry token create --user me --create-user --database own.db | wc -l",
    shows: /^1$/m,
  },
];

test("there are twenty", () => {
  expect(tasks).toHaveLength(20);
});

/** Words of a line that somebody must have read somewhere: commands and flags of bne. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  line
    .split(/ (?:&&|\|) (?![^']*' )/)
    .filter((part) => part.startsWith("bne "))
    .flatMap((part) => part.replaceAll(/'[^']*'/g, "").split(/\s+/))
    .filter((word) => /^--[a-z-]+$/.test(word));

for (const { task, help, line, shows, exit = 0 } of tasks) {
  test(`${task}: ${line}`, async () => {
    const pages = await Promise.all(
      ["--help", ...help.map((words) => `${words} --help`)].map((words) => bne(home, words.split(" "))),
    );
    const read = pages.map(({ stdout }) => stdout).join("\n");
    expect(pages.map(({ code }) => code)).toEqual(pages.map(() => 0));
    for (const word of wordsOf(line)) expect(read).toContain(word);
    const [, command = ""] = /^bne ([a-z]+)/.exec(line) ?? [];
    expect(read).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
    const run = spawn("bash", ["-o", "pipefail", "-c", line], { env, cwd: home.path });
    const { code, stdout, stderr }: Result = await resultOf(run);
    expect({ code, said: stdout + stderr }).toEqual({ code: exit, said: expect.stringMatching(shows) as unknown });
  });
}

test("help fits terminals of 60, 80 and 140 columns, and breaks no word", async () => {
  const { onTerminal } = await import("./Pty.ts");
  for (const columns of [60, 80, 140]) {
    for (const words of [
      "--help",
      "push --help",
      "registry --help",
      "registry token create --help",
      "help manifests",
    ]) {
      const run = onTerminal(home, words.split(" "), { columns, rows: 200, env });
      expect(await run.ended).toBe(0);
      const lines = run.raw().replaceAll("\r", "").split("\n");
      // Examples are there to be copied, so they are whole.
      const prose = lines.filter((text) => !/^ {2}(?:bne|timeout|echo) /.test(text));
      expect({ words, columns, longest: Math.max(...prose.map((text) => text.length)) <= columns }).toEqual({
        words,
        columns,
        longest: true,
      });
      const whole = (await bne(home, words.split(" "))).stdout.split(/\s+/);
      expect(
        prose
          .join(" ")
          .split(/\s+/)
          .filter((word) => !whole.includes(word)),
      ).toEqual([]);
    }
  }
});
