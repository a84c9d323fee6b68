// What command lines say in this process, as text.
import { startRegistry, type FaultRule, type TestRegistry } from "@bytenite-engines/registry/testing";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { as, makeHome } from "./Bne.ts";
import { inProcess } from "./InProcess.ts";

/**
 * One command line, split at its spaces. `@60` before it: on a terminal of 60 columns, `@60c` with colours; `<` behind it: its input. Or, behind `#`, the
 * faults of the registry from there on, as JSON. `>`: the requests since the last one.
 */
export type Line = string;

/** All that some command lines say, one after the other, in a home and with a registry of their own. */
export const transcript = async (
  user: string,
  files: Readonly<Record<string, string>>,
  lines: ReadonlyArray<Line>,
  more: Readonly<Record<string, string | undefined>> = {},
  onStart: (registry: TestRegistry) => unknown = () => {},
): Promise<string> => {
  await using registry = await startRegistry();
  using home = makeHome();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home.path, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(home.path, path), content, { mode: 0o600 });
  }
  const description = "A description that is far too long for a terminal. ".repeat(3).trim();
  const times = { createdAt: { seconds: 1_748_736_000n }, updatedAt: { seconds: 1_748_822_400n } };
  await registry.publish(
    "bob",
    { name: "long", version: "1.0", description, ...times },
    { name: "long", version: "0.2", type: "assembler", status: "inactive", ...times },
    {
      name: "secret",
      version: "1.0",
      platformConfig: { container: "c", token: "t0p" },
      deviceRequirements: {},
      ...times,
    },
  );
  chmodSync(home.path, 0o700);
  await onStart(registry);
  const env = { ...as(registry, user), ...more };
  const said: Array<string> = [];
  for (const line of lines) {
    if (line === ">") {
      for (const { method, target, headers } of registry.requests.splice(0)) {
        const fields = ["accept", "accept-encoding", "cache-control", "content-type"].flatMap(
          (name) => headers[name] ?? [],
        );
        said.push(`> ${[method, target, ...fields, headers["authorization"] ?? "no token"].join(" | ")}\n`);
      }
      said.push("\n");
      continue;
    }
    if (line.startsWith("#")) {
      registry.faults.set(JSON.parse(line.slice(1)) as ReadonlyArray<FaultRule>);
      continue;
    }
    const [, columns, colour, words = "", input] = /^(?:@(\d+)(c)? )?(.*?)(?: <(.*))?$/s.exec(line) ?? [];
    const args = words
      .split(" ")
      .map((word) => word.replaceAll("_", " ").replaceAll("HOST", registry.url).replaceAll("DIR", home.path));
    const { code, stdout, stderr, progress } = await inProcess(home, args, {
      env,
      ...(columns === undefined ? {} : { columns: Number(columns), coloured: colour !== undefined }),
      ...(input === undefined ? {} : { input }),
    });
    said.push(`$ ${line}\n${stdout}`, stderr.replaceAll(/^(?=.)/gm, "! "));
    if (progress.length > 0) said.push(`% ${progress.join("\n% ")}\n`);
    said.push(`= ${code}\n\n`);
  }
  return said
    .join("")
    .replaceAll(new URL(registry.url).host, "HOST")
    .replaceAll(home.path, "HOME")
    .replaceAll(/\b[\da-f]{8}-[\da-f-]{27}\b/g, "UUID")
    .replaceAll(/\b[\da-f]{7}[\da-f-]*…/g, "UUID…")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (time) => (time.startsWith("2025-") ? time : "NOW"))
    .replaceAll(/\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, "DATE")
    .replaceAll(/(etag"?: ?"?)\\?"[\w-]{22}\\?"/g, "$1ETAG")
    .replaceAll(/expires=\d+&signature=[\w-]+/g, "SIGNED")
    .replaceAll(/sha-256=:[\w+/=]+:/g, "DIGEST")
    .replaceAll(/\d+ ms \(median of 3, the first \d+ ms\)/g, "TIMES")
    .replaceAll(/\d+ (?:ms|s|min|h|d|mo|y)\b(?= ago)/g, "AGE");
};
