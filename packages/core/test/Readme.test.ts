// The examples of the README, compiled as an application with exactOptionalPropertyTypes would.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { settingsOf } from "../src/ClientOptions.ts";

const directory = import.meta.dirname;
const name = `readme-${process.pid}`;
const written: Array<string> = [];

const write = (file: string, text: string): void => {
  const path = join(directory, file);
  writeFileSync(path, text);
  written.push(path);
};

afterAll(() => {
  for (const path of written) rmSync(path, { force: true });
});

test("every example of the README compiles", () => {
  const readme = readFileSync(join(directory, "../README.md"), "utf8");
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  expect(examples.length).toBeGreaterThan(3);
  const files = examples.map((code, index) => {
    const file = `${name}-${index}.ts`;
    write(file, code.includes("export ") ? code : `${code}export {};\n`);
    return file;
  });
  const compilerOptions = { types: ["node"], noUnusedLocals: false, noEmit: true, incremental: false };
  write(`${name}.tsconfig.json`, JSON.stringify({ extends: "../../../tsconfig.base.json", compilerOptions, files }));
  const tsc = join(directory, "../../../node_modules/.bin/tsc");
  let said = "";
  try {
    execFileSync(tsc, ["-p", join(directory, `${name}.tsconfig.json`)], { encoding: "utf8" });
  } catch (error) {
    said = String((error as { readonly stdout?: string }).stdout);
  }
  expect(said).toBe("");
}, 60_000);

test("the defaults of retries and times in README and comments are those of the code", () => {
  const readme = readFileSync(join(directory, "../README.md"), "utf8");
  const rows = [...readme.matchAll(/^\| (.+?) +\| (.+?) +\|/gm)].map(([, names = "", values = ""]) => [
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name.replace(/^retry\./, "")),
    values.split(", ").map((value) => Number(value.replaceAll(",", ""))),
  ]) as ReadonlyArray<[ReadonlyArray<string>, ReadonlyArray<number>]>;
  const stated = Object.fromEntries(
    rows.flatMap(([names, values]) => names.map((name, index) => [name, values[index]])),
  );
  const { retry, attemptTimeoutMs, deadlineMs } = settingsOf({});
  expect(stated).toMatchObject({ ...retry, attemptTimeoutMs, deadlineMs });
  const code = readFileSync(join(directory, "../src/Retry.ts"), "utf8");
  const comments = [...code.matchAll(/Default ([\d,]+)\.(?:(?!\*\/).)*\*\/\s+readonly (\w+)/gs)];
  const commented = Object.fromEntries(
    comments.map(([, value = "", option = ""]) => [option, Number(value.replaceAll(",", ""))]),
  );
  expect(commented).toEqual(retry);
});
