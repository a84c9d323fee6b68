// Commands of the picture in README.md, and their variable output.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { record, type Recording } from "./Recording.ts";
import { root } from "@bytenite-engines/test-kit";
import type { Stack } from "./Stack.ts";

const columns = 116;

/** Typed commands. Without relative times, which would change the widths of a table. */
const commands = [
  "bne list --columns name,version,type,status,description",
  "bne get zipper@0.1 --jq .deviceRequirements --verbose",
  "bne get zipper@0.1 --jq .deviceRequirements.minMemory --verbose",
  "bne list --type assembler --output name",
  "bne get zippr",
];

/** Types them in a home of its own, with `bne` on the path. */
export const recordSession = async ({ url, token }: Stack): Promise<Recording> => {
  const home = mkdtempSync(join(tmpdir(), "session-"));
  try {
    const bin = join(home, "bin");
    mkdirSync(bin);
    symlinkSync(join(root, "packages/cli/bin/bne.js"), join(bin, "bne"));
    const env = {
      HOME: home,
      PATH: [bin, dirname(process.execPath), process.env["PATH"]].join(":"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_CACHE_HOME: join(home, "cache"),
      BYTENITE_BASE_URL: url,
      BYTENITE_TOKEN: token,
      BYTENITE_PAGER: "cat",
    };
    return await record(commands, { columns, cwd: home, env });
  } finally {
    rmSync(home, { recursive: true });
  }
};

/** A session without its variable parts: times, the age of a cached response, the port, line breaks. */
export const lasting = (text: string): string =>
  text
    .replaceAll(/\s+/g, "")
    .replaceAll(/(?:\[7m)?Asitwas\d+sago,[^.]*\.(?:\[27m)?/g, "")
    .replaceAll(/127\.0\.0\.1:\d+/g, "PROXY")
    .replaceAll(/\d+(?:\.\d+)?ms|ttl=\d+/g, "TIME");
