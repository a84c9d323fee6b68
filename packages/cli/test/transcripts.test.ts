// What commands say, word by word, in __snapshots__: each change of it shows.
import { startRegistry } from "@bytenite-engines/registry/testing";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { as, makeHome } from "./Bne.ts";
import { inProcess } from "./InProcess.ts";

/** One command line, as a shell would split it; `@60` before it: on a terminal of 60 columns. `<` behind it: its input. */
type Line = string;

/** All that some command lines say, one after the other, in a home and with a registry of their own. */
const transcript = async (
  user: string,
  files: Readonly<Record<string, string>>,
  lines: ReadonlyArray<Line>,
  more: Readonly<Record<string, string | undefined>> = {},
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
    { name: "secret", version: "1.0", platformConfig: { container: "c", token: "t0p" }, ...times },
  );
  chmodSync(home.path, 0o700);
  const env = { ...as(registry, user), ...more };
  const said: Array<string> = [];
  for (const line of lines) {
    const [, columns, words = "", input] = /^(?:@(\d+) )?(.*?)(?: <(.*))?$/s.exec(line) ?? [];
    const args = words.split(" ").map((word) => word.replaceAll("_", " ").replaceAll("HOST", registry.url));
    const { code, stdout, stderr, progress } = await inProcess(home, args, {
      env,
      ...(columns === undefined ? {} : { columns: Number(columns) }),
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
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (time) => (time.startsWith("2025-") ? time : "NOW"))
    .replaceAll(/[\d.]+ m?s left/g, "TIME left")
    .replaceAll(/\d+ (?:ms|s|min|h|d|mo|y)\b(?= ago)/g, "AGE");
};

const scenarios: ReadonlyArray<readonly [name: string, user: string, lines: ReadonlyArray<Line>]> = [
  [
    "list",
    "bob",
    [
      "list",
      "list --limit 2",
      "list --limit 3 --offset 4",
      "list --offset 4",
      "list --offset 40",
      "list --all --page-size 2",
      "list --all -o json",
      "list --page-size 2",
      "list --page-size 2 --limit 3 -o name",
      "list --limit 2 -o json",
      "list --limit 2 -o ndjson",
      "list --limit 1 -o yaml",
      "list --limit 2 -o csv",
      "list --limit 2 -o csv --no-headers",
      "list -o wide --limit 1 --offset 1",
      "list --columns name,minCpu,isPublic",
      "list --columns nam",
      "list --columns x",
      "list --type assembler",
      "list --type assemblr",
      "list --type planner -o json",
      "list --status inactive --limit 1",
      "list --status active --limit 1 --offset 1 -o json",
      "list --status gone",
      "list --name word-* --limit 2 -o name",
      "list --name x* -o name",
      "list --public -o name",
      "list --order-by createdAt -o name",
      "list --jq .engines[0].name",
      "list --jq .engines|length -o json",
      "list -o ndjson --jq .name",
      "list --fresh -o name --quiet",
      "@60 list",
      "@80 list",
      "@200 list --limit 1",
      "@40 list --columns name,description,status",
      "@80 list --type nothing",
      "@80 list -o json --limit 1 --offset 1",
      "@80 list -o yaml --limit 1",
    ],
  ],
  [
    "get, status and versions",
    "bob",
    [
      "get word-count",
      "get word-count@0.9 long@1.0",
      "get word-count nothing frame-splitter -o name",
      "get nothing nowhere",
      "get secret -o json",
      "get secret -o json --show-secrets",
      "get secret -o yaml",
      "get word-count -o csv",
      "get word-count long@1.0 -o yaml",
      "get word-count long@1.0 -o json",
      "get ../x",
      "@80 get long@1.0",
      "@120 get word-coun",
      "@120 get word-count@9.9",
      "@120 get word-coun@0.9",
      "@120 get zzzzzzzzzz",
      "@120 get word-coun -o json",
      "status word-count",
      "status word-count long@1.0",
      "status word-count -o json",
      "status word-count -o name",
      "@80 status word-count",
      "versions word-count",
      "versions long -o name",
      "versions secret -o json --show-secrets",
      "versions secret -o json",
      "versions word-cont",
      "versions zzzzzzzzzz",
      "versions word-count@0.9",
      "@80 versions word-count",
    ],
  ],
  [
    "diff",
    "bob",
    [
      "diff word-count@0.9 word-count@0.10",
      "diff word-count@0.9 word-count@0.10 -o json",
      "diff word-count@0.9 word-count@0.10 -o csv",
      "diff word-count@0.9 word-count@0.10 --everything",
      "diff word-count@0.9 word-count@0.9",
      "diff word-count@0.9 word-count@0.9 -o json",
      "@80 diff word-count@0.9 word-count@0.9",
      "@60 diff word-count@0.9 long@1.0 --columns field,left,right",
      "diff secret long@1.0",
      "diff secret long@1.0 -o name",
      "diff long@1.0 secret --show-secrets -o json",
      "diff secret nothing",
    ],
  ],
  [
    "wait",
    "bob",
    [
      "wait frame-splitter",
      "wait frame-splitter word-count@0.9 frame-splitter --for exists",
      "wait nothing --for deleted",
      "wait nothing frame-splitter --for deleted --timeout 1s",
      "wait frame-splitter --for !=inactive",
      "wait nothing",
      "wait frame-splitter --for odd",
      "wait frame-splitter --for condition=active",
      "wait frame-splitter --for status=active",
      "wait frame-splitter -o json",
      "@80 wait frame-splitter",
    ],
  ],
  [
    "export",
    "bob",
    [
      "export word-count@0.9",
      "export secret",
      "export secret --show-secrets",
      "export --all --file all.ndjson",
      "export --all --file all.ndjson --show-secrets",
      "export",
      "export word-count --all",
      "export nothing",
      "export --all --file no/such/file",
      "export --all --file .",
    ],
  ],
  [
    "settings and profiles",
    "bob",
    [
      "config get",
      "config get output",
      "config get --show-origin",
      "config get outptu",
      "config get timeout",
      "config get zzz",
      "config set output json",
      "config set output",
      "config set deadline 99ms",
      "config set deadline 100ms",
      "config set deadline 5000",
      "config set attempts 2",
      "config set pager no-such-program",
      "config set profile staging",
      "config get attempts --show-origin -o json",
      "config path -o json",
      "config path",
      "profile list",
      "profile set staging --base-url https://staging.example/v1/dev --deadline 2s",
      "profile set -x --base-url https://x.example",
      "profile set staging",
      "profile list -o csv",
      "profile list -o json",
      "profile use staging",
      "profile use stagin",
      "profile use default",
      "profile remove staging",
      "profile remove staging",
      "profile remove default",
      "list --profile nobody",
      "cache clear",
      "commands -o csv --columns command",
      "commands -o json --jq .[0]",
      "version",
      "version -o name",
      "version -o json --jq .version|type",
    ],
  ],
  [
    "raw",
    "bob",
    [
      "raw /engines/word-count",
      "raw engines/word-count -o yaml",
      "raw /engines/word-count -o ndjson",
      "raw /engines/secret",
      "raw /engines/secret --show-secrets --jq .platformConfig",
      "raw /engines?pagination.limit=2 --all --jq .engines[].name",
      "raw /engines?pagination.limit=2&pagination.offset=3 --all --jq .engines[].name",
      "raw /engines --jq .engines|length -o ndjson",
      "raw /engines/nothing",
      "raw FETCH /engines",
      "raw GET /engines --input x",
      "raw POST /engines --all",
      "raw POST /engines --field a=b --input x",
      "raw POST /engines --input nothing",
      "raw ../x",
      "raw //x.example/engines",
      "raw https://x.example/engines",
      "raw /engines --field x",
      "raw /engines --accept application/x-protobuf --jq .",
      "@80 raw /engines -o protobuf",
      "@80 raw /engines/word-count",
      "@80 raw /engines/word-count -o yaml",
      "@80 raw /engines/word-count --jq .name",
      "raw HEAD /engines",
      "raw OPTIONS /engines",
      "raw DELETE /engines/long@0.2",
      "raw POST /engines/long@1.0/deactivate",
    ],
  ],
];

for (const [name, user, lines] of scenarios) {
  test(`what is said by ${name}`, async () => {
    expect(await transcript(user, {}, lines)).toMatchSnapshot(name);
  });
}

test("what is said by credentials", async () => {
  const without = { BYTENITE_TOKEN: undefined };
  const lines = [
    "auth status",
    "auth token",
    "auth logout",
    "list",
    "auth login <local-bob",
    "auth status",
    "auth status -o json",
    "auth token",
    "@80 auth token",
    "@80 auth token --show",
    "list -o name --limit 1",
    "list -o name --base-url http://localhost:9/v1/dev",
    "list -o name --token - <local-bob",
    "list -o name --token local-bob --limit 1",
    "list --token= ",
    "auth login <wrong",
    "auth login --no-verify <wrong",
    "auth status",
    "auth login <two words",
    "auth login <",
    "auth login --token x",
    "auth login --with-token --with-api-key <x",
    "auth login --with-api-key <bob-key",
    "auth login --no-keychain <local-bob",
    "auth login --profile other --base-url HOST <local-bob",
    "profile list",
    "auth logout --profile other",
    "auth logout",
    "auth logout",
  ];
  expect(await transcript("bob", {}, lines, without)).toMatchSnapshot("stored");
  const named = { BYTENITE_TOKEN: "wrong", BYTENITE_API_KEY: " " };
  expect(
    await transcript("bob", {}, ["auth status", "auth login <local-bob", "auth logout", "auth token", "list"], named),
  ).toMatchSnapshot("named");
});

test("what is said by engines in folders", async () => {
  const manifest = JSON.stringify({ name: "mine", version: "0.1", type: "partitioner" });
  const lines = [
    "new fresh --type partitioner",
    "new fresh --type partitioner",
    "new fresh-2 --type assembler -o json",
    "new x",
    "new a/b --type assembler",
    "validate mine",
    "validate mine -o json",
    "validate bad",
    "validate bad -o json",
    "@80 validate bad",
    "validate nowhere",
    "push mine --dry-run",
    "push mine --dry-run -o json",
    "push mine --if-revision 3",
    "push mine",
    "push mine",
    "push mine -o json",
    "push mine --activate",
    "push mine --if-revision 1",
    "push bad",
    "status mine",
    "activate mine",
    "deactivate mine -o json",
    "pull mine copy",
    "pull mine copy",
    "pull mine copy --force",
    "pull mine copy-2 -o json",
    "pull mine mine/app/main.py",
    "pull nothing",
    "delete mine",
    "delete mine@0.1",
    "delete mine@0.1 --yes",
    "delete mine@0.1 --yes",
    "validate leaky",
  ];
  const files = {
    "mine/manifest.json": manifest,
    "mine/app/main.py": "print()\n",
    "mine/.bneignore": "*.md\n",
    "mine/notes.md": "x",
    "bad/manifest.json": '{\n "name": "no name",\n "version": "1.2.3",\n "typ": "x"\n}',
    "bad/a.txt": "x",
    "bad/A.txt": "x",
    "leaky/manifest.json": JSON.stringify({ name: "leaky", version: "0.1", type: "partitoner" }),
    "leaky/app/main.py": `key = "ghp_${"a".repeat(36)}"`,
    "leaky/.env": "A=b",
  };
  expect(await transcript("bob", files, lines)).toMatchSnapshot("folders");
});
