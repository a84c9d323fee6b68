import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ManifestError, parseManifest } from "./Manifest.ts";

const problems = (text: string): ReadonlyArray<string> => {
  try {
    parseManifest(text, "f");
    return [];
  } catch (error) {
    if (error instanceof ManifestError) return error.problems;
    throw error;
  }
};

test("a whole manifest becomes an engine", () => {
  const text = JSON.stringify({
    name: "zipper",
    version: "0.1",
    type: "assembler",
    description: "d",
    entrypoint: "app.py",
    platform: "docker",
    platform_config: { container: "c", private_image: true, username: "u", token: "t", secrets: ["A"] },
    device_requirements: { min_cpu: 0.5, min_memory: 2, gpu: ["tesla t4"] },
    hash: `${"A".repeat(43)}=`,
    link: "https://downloads.example/x",
    is_public: true,
  });
  expect(parseManifest(text, "f")).toEqual({
    name: "zipper",
    version: "0.1",
    type: "assembler",
    description: "d",
    entrypoint: "app.py",
    platform: "docker",
    platformConfig: { container: "c", privateImage: true, username: "u", token: "t", secrets: ["A"] },
    deviceRequirements: { minCpu: 0.5, minMemory: 2, gpu: ["tesla t4"] },
    hash: `${"A".repeat(43)}=`,
    link: "https://downloads.example/x",
    isPublic: true,
  });
});

test("null is the same as absent", () => {
  const engine = parseManifest('{"name":"a","version":"0.1","type":null,"platform_config":null}', "f");
  expect(engine).toMatchObject({ type: "", entrypoint: "main.py" });
  expect(engine.platformConfig).toBeUndefined();
});

test.for<[string, ReadonlyArray<unknown>]>([
  ["", ["f:1:1: not JSON: Unexpected end of input found."]],
  ["[]", ["f:1:1: the manifest must be an object"]],
  // An escaped quote does not end a text, an escaped backslash before one does.
  [
    '{"name":"a","version":"0.1","description":"\\":{\\\\","type":"\\"\\\\","x":1}',
    [expect.stringContaining('f:1:66: "x" is not a key')],
  ],
  [
    `{"name":"a","version":"0.1",${Array.from({ length: 101 }, (_, at) => `"x${at}":1`).join(",")}}`,
    Array.from({ length: 100 }, () => expect.stringContaining("is not a key") as string),
  ],
  [
    `{"name":"a","version":"0.1",${Array.from({ length: 102 }, () => '"type":"a"').join(",")}}`,
    Array.from({ length: 100 }, () => expect.stringContaining("second") as string),
  ],
  [
    `{"name":"a","version":"0.1","description":"${"x".repeat(65_537)}"}`,
    ["f:1:43: description must be a text of at most 65536 characters"],
  ],
  ['{"name":"a","version":"0.1","is_public":1}', ["f:1:41: is_public must be true or false"]],
  [
    `{"name":"a","version":"0.1","platform_config":{"secrets":[${Array.from({ length: 1_001 }, () => '"a"').join(",")}]}}`,
    ["f:1:58: secrets must be a list of at most 1000 texts"],
  ],
  ["{}", ["f:1:1: name is missing", "f:1:1: version is missing"]],
  ['{\n "name": "a",\n "version": "1.2.3"\n}', ['f:3:13: version must be major.minor, as in "0.1"']],
  ['{\n "name": "a",\n "version" "0.1"\n}', ["f:3:12: not JSON: Unexpected token String found."]],
  ['{"name":1,"version":"0.1"}', ["f:1:9: name must be a text of at most 65536 characters"]],
  [
    '{"name":"a","version":"0.1","platform_config":{"tokn":""}}',
    ['f:1:48: "tokn" is not a key of platform_config: there are container, private_image, username, token, secrets'],
  ],
  ['{"name":"a","version":"0.1","platform_config":[]}', ["f:1:47: platform_config must be an object"]],
  [
    '{"name":"a","version":"0.1","device_requirements":{"min_cpu":-1,"min_memory":1e39,"gpu":[1]}}',
    [
      "f:1:62: min_cpu must be a number from 0 on that fits into a float",
      "f:1:78: min_memory must be a number from 0 on that fits into a float",
      "f:1:89: gpu must be a list of at most 1000 texts",
    ],
  ],
  ['{"name":"a","version":"0.1","hash":"x"}', ["f:1:36: hash must be the base64 of a SHA-256"]],
  [
    '{"name":"a","version":"0.1","__proto__":{}}',
    [expect.stringMatching(/^f:1:29: "__proto__" is not a key of the manifest: there are name, version, type, /)],
  ],
  [
    '{"name":"a","version":"0.1","description":"\\ud800"}',
    ["f:1:43: description has half of a surrogate pair, which is not a character"],
  ],
  [
    '{"name":"a",\n"version":"0.1",\n "Name":"b", "version":"0.2"}',
    [
      'f:3:2: there is a second "Name": upper and lower case are the same',
      'f:3:14: there is a second "version": upper and lower case are the same',
    ],
  ],
  [
    '{"name":"a","version":"0.1","platform_config":{"Token":"x","tok\\u0065n":"y"}}',
    ['f:1:60: there is a second "token": upper and lower case are the same'],
  ],
  [
    '{"name":"a","version":"0.1","description":"\\\\","type":"a","type":"b"}',
    ['f:1:59: there is a second "type": upper and lower case are the same'],
  ],
  [
    '{"name":"a","version":"0.1","author":"x"}',
    [expect.stringContaining('f:1:29: "author" is not a key of the manifest')],
  ],
])("%j is reported at its place", ([text, expected]) => {
  expect(problems(text)).toEqual(expected);
});

test("every text is an engine or has problems with a place, and nothing else happens", () => {
  const known = fc.constantFrom("name", "version", "platform_config", "device_requirements", "is_public", "hash", "x");
  const json = fc.oneof(
    fc.json(),
    fc.string(),
    fc.dictionary(known, fc.jsonValue()).map((value) => JSON.stringify(value, null, 1)),
  );
  fc.assert(
    fc.property(json, (text) => {
      for (const problem of problems(text)) expect(problem).toMatch(/^f:\d+:\d+: ./);
    }),
    { numRuns: 2_000 },
  );
});

test("keys are known in any case, as for the reader of Go", () => {
  const text = '{"Name":"a","VERSION":"0.1","Platform_Config":{"Container":"c"},"device_requirements":{"Min_CPU":2}}';
  expect(parseManifest(text, "f")).toMatchObject({
    name: "a",
    version: "0.1",
    platformConfig: { container: "c" },
    deviceRequirements: { minCpu: 2, minMemory: 0 },
  });
  expect(parseManifest('{"name":"a","version":"0.1","device_requirements":{}}', "f")).toMatchObject({
    deviceRequirements: { minCpu: 0, minMemory: 0, gpu: [] },
  });
  expect(problems('{"Name":"a b","Version":"0.1"}')).toEqual(["f:1:9: name must be 1 to 64 letters, digits, - or _"]);
});

test("a byte order mark may come before a manifest, and does not count", () => {
  expect(parseManifest('\u{FEFF}{"name":"a","version":"0.1"}', "f")).toMatchObject({ name: "a" });
  expect(problems('\u{FEFF}{"name":1,"version":"0.1"}')).toEqual([expect.stringMatching(/^f:1:9: name must be/)]);
});

test("a manifest has at most a million characters, about", () => {
  expect(problems(" ".repeat(1_048_577))).toEqual(["f: is longer than 1048576 characters"]);
  expect(problems(" ".repeat(1_048_576))).toEqual([expect.stringContaining("not JSON")]);
});

test("deep nesting is refused, not followed", () => {
  expect(problems("[".repeat(100_000))).toEqual(["f:1:33: is nested deeper than 32 levels"]);
  expect(problems(`{"name":"a","version":"0.1","x":${'{"y":'.repeat(31)}1${"}".repeat(32)}`)).toHaveLength(1);
  for (const depth of [32, 5_000, 400_000]) {
    const text = `{"name":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(problems(text)).toEqual(["f:1:40: is nested deeper than 32 levels"]);
  }
});

const manifest = (members: object): string => JSON.stringify({ name: "a", version: "0.1", ...members });

test("at their limits values are taken", () => {
  for (const members of [
    { description: "x".repeat(65_536) },
    { platform_config: { secrets: Array.from({ length: 1_000 }, () => "x".repeat(10)) } },
    { device_requirements: { min_cpu: 0, min_memory: 3e38, gpu: [] } },
    { hash: "", link: "" },
    { name: "x".repeat(64), is_public: false, platform_config: {} },
  ]) {
    expect(problems(manifest(members))).toEqual([]);
  }
  // A list of objects may have the same keys, and a text may hold brackets, quotes and colons.
  expect(problems(manifest({ description: '{"a":[{"a":"\\' }))).toEqual([]);
  expect(problems('{"name":"a","version":"0.1","platform_config":{"container":"x"},"device_requirements":{}}')).toEqual(
    [],
  );
  expect(problems(`{"x":[{"y":1},{"y":2}],\n "z" \t\r\n:1, "Z":2}`)).toEqual([
    'f:3:5: there is a second "Z": upper and lower case are the same',
  ]);
});

test("lists and objects that end are no part of what follows them", () => {
  for (const closed of ["[]", "{}", '[{"name":1}]', '{"":"","name":1}']) {
    expect(problems(`{"name":"a","x":${closed},"NAME":"b"}`)).toEqual([
      `f:1:${18 + closed.length}: there is a second "NAME": upper and lower case are the same`,
    ]);
    expect(problems(`{"x":[${Array(40).fill(closed).join(",")}]}`)).toEqual([
      expect.stringMatching(/^f:1:2: "x" is not a key of the manifest/),
    ]);
  }
});

test("a problem names at most 100 characters of a key", () => {
  const long = "k".repeat(101);
  expect(problems(`{"name":"a","version":"0.1","${long}":1}`)).toEqual([
    expect.stringMatching(/^f:1:29: "k{100}" is not a key of the manifest/),
  ]);
  expect(problems(`{"${long}":1,"${long}":1}`)).toEqual([
    expect.stringMatching(/^f:1:108: there is a second "k{100}":/),
  ]);
});
