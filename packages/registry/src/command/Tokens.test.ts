import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tokensIn } from "./Tokens.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-tokens-"));
afterAll(() => rm(directory, { recursive: true }));
const path = join(directory, "tokens.json");

const long = (letter: string): string => letter.repeat(16);

test("tokens come from a file and a variable, each of one user, with the place where it stands", async () => {
  expect(await tokensIn(undefined, undefined)).toBeUndefined();
  expect(await tokensIn(undefined, "")).toBeUndefined();
  writeFileSync(path, JSON.stringify({ ann: [long("a"), long("b")], bob: long("c"), __proto: [] }));
  const { tokens = {}, places } = (await tokensIn(path, JSON.stringify({ ann: [long("b"), long("d")] }))) ?? {};
  expect({ ...tokens }).toEqual({ ann: [long("a"), long("b"), long("b"), long("d")], bob: [long("c")], __proto: [] });
  expect([...(places ?? [])]).toEqual([
    [long("a"), path],
    [long("b"), "REGISTRY_TOKENS"],
    [long("c"), path],
    [long("d"), "REGISTRY_TOKENS"],
  ]);
  expect({ ...(await tokensIn(path, ""))?.tokens }).toMatchObject({ bob: [long("c")] });
});

const form = 'REGISTRY_TOKENS is not JSON of the form {"user": ["token"]}';
const list =
  "REGISTRY_TOKENS: the tokens of ann must be a list of texts of at least 16 visible ASCII characters, without spaces";

test.for<[unknown, string]>([
  ["secret", form],
  ["[]", form],
  ["null", form],
  ['"ann"', form],
  [{ ann: 1 }, list],
  [{ ann: { a: long("a") } }, list],
  [{ ann: [long("a"), 1] }, list],
  [{ ann: [long("a"), long("a").slice(1)] }, list],
  [{ ann: [`${long("a")} b`] }, list],
  [{ ann: [`${long("a")}\u007f`] }, list],
  [{ ann: [`${long("a")}ä`] }, list],
  [{ ann: long("a"), bob: [long("a")] }, "REGISTRY_TOKENS: ann and bob have the same token"],
])("%j is refused without a token: %s", async ([given, problem]) => {
  const text = typeof given === "string" ? given : JSON.stringify(given);
  await expect(tokensIn(undefined, text)).rejects.toThrow(new Error(problem));
});

test("a file that cannot be read is named", async () => {
  await expect(tokensIn(directory, undefined)).rejects.toThrow(`${directory} is a directory, not a regular file`);
  await expect(tokensIn(join(directory, "none"), undefined)).rejects.toThrow("ENOENT");
});
