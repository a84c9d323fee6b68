import { expect, test } from "vitest";
import { behindBreak, offer, splitLine } from "./Complete.ts";

/** The words that are offered, or what is looked up. */
const offered = (...words: ReadonlyArray<string>): unknown => {
  const found = offer(words);
  return found.kind === "words" ? found.candidates.map(({ value }) => value) : [found.what, found.before];
};

test("what a command, a flag or a value takes next is offered", () => {
  const topLevel = offered("") as ReadonlyArray<string>;
  expect(topLevel).toContain("list");
  expect(topLevel).toContain("registry");
  expect(topLevel).not.toContain("login");
  expect(new Set(topLevel).size).toBe(topLevel.length);
  for (const [words, expected] of [
    [
      ["auth", ""],
      ["login", "status", "logout", "token"],
    ],
    [
      ["registry", "token", ""],
      ["create", "list", "revoke"],
    ],
    [
      ["registry", "users", ""],
      ["create", "disable", "enable", "delete"],
    ],
    [["registry", "users", "create", ""], []],
    [
      ["get", ""],
      ["tags", ""],
    ],
    [
      ["get", "zipper", ""],
      ["tags", ""],
    ],
    [
      ["diff", "a", ""],
      ["tags", ""],
    ],
    [["diff", "a", "b", ""], []],
    [
      ["versions", ""],
      ["names", ""],
    ],
    [["versions", "zipper", ""], []],
    [["get", "--", ""], []],
    [["list", "extra", ""], []],
    [
      ["list", "--output", ""],
      ["table", "wide", "json", "yaml", "ndjson", "csv", "name", "protobuf"],
    ],
    [
      ["watch", "--output", ""],
      ["table", "wide", "ndjson"],
    ],
    [
      ["list", "-o", ""],
      ["table", "wide", "json", "yaml", "ndjson", "csv", "name", "protobuf"],
    ],
    [
      ["watch", "--output="],
      ["--output=table", "--output=wide", "--output=ndjson"],
    ],
    [
      ["list", "--profile", ""],
      ["profiles", ""],
    ],
    [
      ["list", "--profile="],
      ["profiles", "--profile="],
    ],
    [
      ["--profile", ""],
      ["profiles", ""],
    ],
    [
      ["--profile", "x", "auth", ""],
      ["login", "status", "logout", "token"],
    ],
    [
      ["--quiet", "auth", ""],
      ["login", "status", "logout", "token"],
    ],
    [["list", "--nothing", ""], []],
    [["list", "--nothing="], []],
    [["list", "--limit", ""], []],
    [
      ["export", "--file", ""],
      ["files", ""],
    ],
    [
      ["config", "get", ""],
      ["settings", ""],
    ],
  ] as const) {
    expect([words, offered(...words)]).toEqual([words, expected]);
  }
  expect(offered("help", "exit")).toEqual(expect.arrayContaining([...topLevel, "exit-codes"]));
  expect(offered("help", "registry", "")).toContain("serve");
  expect(offered("help", "registry", "")).not.toContain("exit-codes");
  expect(offered("list", "-")).toEqual(expect.arrayContaining(["--limit", "--help"]));
  expect(offered("list", "--l")).toContain("--limit");
  expect(offered("list", "-")).not.toContain("--yes");
  expect(offered("-")).toContain("--yes");
});

test("a group is described by its commands, a command by its summary, a topic as such", () => {
  const found = offer([""]);
  const summaryOf = (value: string): string | undefined =>
    found.kind === "words" ? found.candidates.find((candidate) => candidate.value === value)?.summary : undefined;
  expect(summaryOf("auth")).toBe("login, status, logout, token");
  expect(summaryOf("list")).toBe("List engines");
  const registry = offer(["registry", ""]);
  const members = registry.kind === "words" ? registry.candidates : [];
  expect(members.find(({ value }) => value === "token")?.summary).toBe("create, list, revoke");
  expect(members.find(({ value }) => value === "check")?.summary).toMatch(/^[A-Z]/);
  expect(new Set(members.map(({ value }) => value)).size).toBe(members.length);
});

test("a line is split as a shell splits it", () => {
  for (const [line, words] of [
    ["bne get fr", ["get", "fr"]],
    ["bne  get\tfr ", ["get", "fr", ""]],
    ["bne", []],
    ["bne ", [""]],
    [`bne get "a b" 'c "d' e\\ f`, ["get", "a b", `c "d`, "e f"]],
    [`bne get a"b c"d`, ["get", "ab cd"]],
    [`bne get "" ''`, ["get", "", ""]],
    [`bne get "a\\" b`, ["get", "a\\", "b"]],
    [`bne get "open `, ["get", "open "]],
    ["bne get a\\", ["get", "a"]],
  ] as const) {
    expect([line, splitLine(line)]).toEqual([line, words]);
  }
});

test("what stands before a break in a word is not repeated, but for the signs that readline replaces", () => {
  for (const [value, current, breaks, expected] of [
    ["zipper@0.1", "zip", "@=", "zipper@0.1"],
    ["zipper@0.1", "zipper@0", "@=", "@0.1"],
    ["zipper@0.1", "zipper@0", "=", "zipper@0.1"],
    ["--output=json", "--output=js", "@=", "json"],
    ["--output=json", "--output=", "=", "json"],
    ["=json", "=j", "=", "json"],
    ["a$b", "a$", "$", "$b"],
    ["a=b:c", "a=b:", "=:", "c"],
    ["a=b:c", "a=b:", ":=", "c"],
    ["list", "li", "", "list"],
  ] as const) {
    expect([value, current, behindBreak(value, current, breaks)]).toEqual([value, current, expected]);
  }
});
