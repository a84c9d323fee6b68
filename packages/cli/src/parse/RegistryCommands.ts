// Commands that run, fill and manage a registry of one's own.
import type { Command, Flag, Positional } from "./Command.ts";

const database: Flag = {
  name: "database",
  kind: "text",
  value: "FILE",
  summary: "SQLite file (REGISTRY_DATABASE; default .data/registry.sqlite)",
  completes: "files",
};
const archives: Flag = {
  name: "archives",
  kind: "text",
  value: "DIR",
  summary: "Folder of archives (REGISTRY_ARCHIVES; default: the database's path and .archives)",
  completes: "files",
};
const withArchives = { name: "with-archives", kind: "text", value: "DIR", completes: "files" } as const;
const user: Flag = { name: "user", kind: "text", value: "NAME", summary: "Owner of the engines" };
const ownedTags: Positional = { name: "TAG", summary: "name, name@major or name@major.minor", many: true };

/** Flag for a registry managed over HTTP instead of in its database. */
const elsewhere: Flag = {
  name: "base-url",
  kind: "url",
  value: "URL",
  summary: "Ask the registry there, with the token in BYTENITE_MANAGE_TOKEN, instead of opening a database",
};

const changing = (name: string, summary: string, otherNames: ReadonlyArray<string> = []): Command => ({
  path: ["registry", name],
  elsewhere: otherNames,
  summary,
  positionals: [name === "delete" ? { ...ownedTags, summary: "name@major.minor" } : ownedTags],
  flags: [{ ...user, summary: "Owner of the engines; required" }, elsewhere, database],
  takes: ["output"],
  examples: [
    {
      line: `bne registry ${name} mine@1.0 --user alice --database registry.db`,
      explains: "One engine",
    },
  ],
});

const quotas: ReadonlyArray<Flag> = [
  { name: "max-engines", kind: "text", value: "N", summary: "Engines that the user may have; none: any number" },
  {
    name: "max-bytes",
    kind: "text",
    value: "N",
    summary: "Bytes of archives that the user may have; none: any number",
  },
];
const most: Flag = { name: "limit", kind: "count", value: "N", least: 1, summary: "At most N of them" };

const onUser = (
  words: string,
  summary: string,
  own: ReadonlyArray<Flag>,
  examples: Command["examples"],
  otherNames: ReadonlyArray<string> = [],
): Command => ({
  path: ["registry", ...words.split(" ")],
  elsewhere: [
    words === "quota" ? "registry users quota" : `registry ${words.replace("users", "user")}`,
    ...otherNames.map((name) => `registry users ${name}`),
  ],
  summary,
  positionals: [{ name: "NAME", summary: "name of the user" }],
  flags: [...own, elsewhere, database],
  takes: ["output"],
  examples,
});

const credential: Positional = { name: "ID", summary: "id, as the list shows it" };

const crediting = (word: "token" | "key", what: string, made: string): ReadonlyArray<Command> => [
  {
    path: ["registry", word, "create"],
    elsewhere: [`registry ${word} add`, `registry ${word} new`],
    instead: "Name the user with --user NAME.",
    summary: `Make ${made}, and print it once`,
    details: [
      "Only its digest is kept: nobody can print it again. --output json also has id, user and scope.",
      "A user or database that is not there is made after a question; without a terminal that needs --create-user.",
    ],
    flags: [
      { ...user, summary: "Whose it is; needed" },
      {
        name: "scope",
        kind: "choice",
        choices: ["read", "publish", "manage"],
        value: "SCOPE",
        summary: "read (the default), publish: also change the user's engines, manage: also manage the registry",
      },
      { name: "label", kind: "text", value: "TEXT", summary: "A name for it in lists" },
      { name: "expires-in", kind: "count", value: "DAYS", least: 1, summary: "Days until it ends; default: never" },
      {
        name: "create-user",
        kind: "switch",
        summary: "Make the user, and the database, where there is none, without asking",
      },
      elsewhere,
      database,
    ],
    takes: ["output"],
    examples: [
      {
        line: `bne registry ${word} create --user alice --label ci --database registry.db`,
        explains: `${what} of alice`,
      },
    ],
  },
  {
    path: ["registry", word, "list"],
    aliases: [["registry", word, "ls"]],
    summary: `List ${word === "token" ? "tokens" : "API keys"}, never their secrets`,
    flags: [{ ...user, summary: "Only those of this user" }, elsewhere, database],
    takes: ["output"],
    examples: [
      { line: `bne registry ${word} list --database registry.db`, explains: "All of them" },
      {
        line: `bne registry ${word} list --user alice --output name --database registry.db`,
        explains: "The ids of alice's",
      },
    ],
  },
  {
    path: ["registry", word, "revoke"],
    elsewhere: [`registry ${word} delete`, `registry ${word} rm`, `registry ${word} remove`],
    summary: `End ${made} for good`,
    positionals: [credential],
    flags: [elsewhere, database],
    takes: ["output"],
    examples: [
      {
        line: `bne registry ${word} revoke no-such-id --database registry.db`,
        explains: "Exit code 3 when there is none",
        exit: 3,
      },
    ],
  },
];

export const registryCommands: ReadonlyArray<Command> = [
  {
    path: ["registry", "serve"],
    elsewhere: ["serve", "server", "registry start", "registry run"],
    summary: "Run a registry until Ctrl-C or SIGTERM",
    details: [
      "A new database on loopback is a trial: it has the users alice and bob with sample engines, and their tokens are printed. With --config, --tokens or --no-trial there are none; `bne registry token create` makes tokens.",
      "When it answers, stdout gets one line: ready and its address. The registry's README describes the file of --config.",
    ],
    flags: [
      { name: "port", kind: "count", value: "PORT", summary: "Port (default 4010; 0: a free one)" },
      { name: "host", kind: "text", value: "ADDRESS", summary: "Address to listen on (default 127.0.0.1)" },
      {
        name: "admin-port",
        kind: "count",
        value: "PORT",
        summary: "Port of /metrics and /faults on 127.0.0.1 (default: --port, where that is on loopback)",
      },
      {
        name: "allowed-hosts",
        kind: "text",
        value: "A,B",
        summary: "Host names to accept in addition to those of loopback (REGISTRY_ALLOWED_HOSTS)",
      },
      {
        name: "public-url",
        kind: "url",
        value: "URL",
        summary: "Base of links to archives (REGISTRY_PUBLIC_URL)",
      },
      database,
      archives,
      {
        name: "tokens",
        kind: "text",
        value: "FILE",
        summary: 'Tokens by user, {"alice": ["..."]} (or the same JSON in REGISTRY_TOKENS)',
        completes: "files",
      },
      {
        name: "access-log",
        kind: "text",
        value: "TARGET",
        summary: "A line of JSON for each request: stderr or a file, which SIGHUP reopens",
        completes: "files",
      },
      {
        name: "config",
        kind: "text",
        value: "FILE",
        summary: "Settings as JSON, also limits; without trial users",
        completes: "files",
      },
      {
        name: "faults",
        kind: "text",
        value: "FILE",
        summary: "Inject faults: rules as JSON, or `on` for rules sent to /faults",
        completes: "files",
      },
      {
        name: "field-numbers",
        kind: "text",
        value: "FILE",
        summary: "Other field numbers in protobuf, for tests: message, field, number",
        completes: "files",
      },
      { name: "no-schema-digest", kind: "switch", summary: "Omit the header with the schema digest, for tests" },
      { name: "no-trial", kind: "switch", summary: "No trial users and no trial tokens" },
    ],
    examples: [
      {
        line: "timeout 2 bne registry serve --port 0 --database served.db",
        explains: "On a free port, for two seconds",
        exit: 124,
      },
    ],
  },
  {
    path: ["registry", "import"],
    elsewhere: ["import"],
    summary: "Import engines: manifests, trees of them, or an export",
    details: [
      "A file is a manifest.json, or NDJSON as `bne export` and `bne registry export` write it. Problems name file, line and column; a file is imported whole or not at all. Exit code 1 when there was any.",
      "In a database without users the user is made; in a new one with the trial token local-NAME, which opens a trial on loopback only. Elsewhere a user that is not there is made after a question; without a terminal that needs --create-user.",
    ],
    positionals: [{ name: "PATH", summary: "files, folders, globs; `-` for stdin", many: true, completes: "files" }],
    flags: [
      { ...user, summary: "Owner of the engines; exported engines name theirs" },
      { name: "activate", kind: "switch", summary: "Activate them" },
      { name: "public", kind: "switch", summary: "Make them public" },
      { name: "create-user", kind: "switch", summary: "Make the user, where there is none, without asking" },
      {
        name: "archive",
        kind: "text",
        value: "FILE",
        summary: "Take the hash from this archive; with one manifest only",
        completes: "files",
      },
      { ...withArchives, summary: "Store the archives of an export's engines from this folder" },
      database,
      archives,
    ],
    takes: ["output"],
    examples: [
      {
        line: 'echo \'{"name": "mine", "version": "1.0"}\' | bne registry import - --user alice --database registry.db',
        explains: "One manifest from stdin",
      },
      { line: "bne registry import hello --user alice --database registry.db", explains: "All manifests in a folder" },
    ],
  },
  {
    path: ["registry", "export"],
    summary: "Write engines as NDJSON, or a database as SQL",
    flags: [
      { ...user, summary: "Only the engines of this user" },
      {
        name: "format",
        kind: "choice",
        choices: ["ndjson", "sql"],
        value: "FORM",
        summary: "ndjson (the default): a line for each engine; sql: everything, for D1",
      },
      { name: "with-secrets", kind: "switch", summary: "Keep platformConfig.token; needs BYTENITE_REGISTRY_KEY" },
      { ...withArchives, summary: "Write archives into this folder: .tar files; with sql objects for the bucket" },
      database,
      archives,
    ],
    examples: [{ line: "bne registry export --database registry.db > engines.ndjson", explains: "All engines" }],
  },
  changing("activate", "Activate engines of a user"),
  changing("deactivate", "Deactivate engines of a user"),
  changing("make-public", "Let every user of a registry see engines", ["registry public", "registry publish"]),
  changing("make-private", "Let only their owner see engines of a registry", ["registry private", "registry hide"]),
  changing("delete", "Delete engines of a user"),
  {
    path: ["registry", "backup"],
    summary: "Copy a database, also while it is served",
    details: ["Into a file; or, in a folder that exists, into a new file whose name has the time."],
    positionals: [{ name: "FILE", summary: "file or folder", completes: "files" }],
    flags: [
      {
        name: "keep",
        kind: "count",
        value: "N",
        least: 1,
        summary: "With a folder: remove all but the newest N backups in it",
      },
      database,
      archives,
    ],
    examples: [{ line: "bne registry backup copy.db --database registry.db", explains: "Into a new file" }],
  },
  {
    path: ["registry", "restore"],
    summary: "Replace a database by a backup",
    details: [
      "A database that has engines is replaced with --force only. Tokens that may have been revoked since the backup live again only after a question; without a terminal that needs --yes, or --revoke-all to end them.",
    ],
    positionals: [{ name: "FILE", summary: "the backup", completes: "files" }],
    flags: [
      { name: "force", kind: "switch", summary: "Also if the database has engines" },
      { name: "revoke-all", kind: "switch", summary: "Revoke all tokens and API keys of the backup" },
      { name: "yes", short: "y", kind: "switch", summary: "Do not ask" },
      database,
      archives,
    ],
    examples: [
      {
        line: "bne registry restore copy.db --revoke-all --database restored.db",
        explains: "Into a new database, all tokens revoked",
      },
    ],
  },
  {
    path: ["registry", "check"],
    summary: "Read all of a database and name damage",
    details: ["Works while it is served, and changes nothing. Exit code 1 if there is damage."],
    flags: [database, archives],
    takes: ["output"],
    examples: [{ line: "bne registry check --database registry.db", explains: "No damage: exit code 0" }],
  },
  {
    path: ["registry", "users"],
    aliases: [["registry", "users", "list"]],
    elsewhere: ["users", "registry user", "registry user list"],
    summary: "List the users of a registry",
    flags: [elsewhere, database],
    takes: ["output"],
    examples: [{ line: "bne registry users --database registry.db", explains: "Names, ids, engines and quotas" }],
  },
  onUser(
    "users create",
    "Create a user without tokens",
    quotas,
    [
      {
        line: "bne registry users create erin --max-engines 100 --database registry.db",
        explains: "A user with at most 100 engines",
      },
    ],
    ["add", "new"],
  ),
  onUser(
    "users disable",
    "Refuse all tokens and API keys of a user, until enabled again",
    [],
    [
      {
        line: "bne registry users disable alice --database registry.db",
        explains: "Running servers refuse within a second",
      },
    ],
  ),
  onUser(
    "users enable",
    "Accept the tokens and API keys of a disabled user again",
    [],
    [{ line: "bne registry users enable alice --database registry.db", explains: "Those that are good" }],
  ),
  onUser(
    "users delete",
    "Delete a user for good; engines are handed over or deleted",
    [
      { name: "yes", short: "y", kind: "switch", summary: "Do not ask" },
      { name: "hand-over-to", kind: "text", value: "USER", summary: "User who gets the engines" },
      { name: "delete-engines", kind: "switch", summary: "Delete the engines" },
    ],
    [
      {
        line: "bne registry users delete no-such-user --yes --database registry.db",
        explains: "Exit code 3 when there is none",
        exit: 3,
      },
    ],
    ["rm", "remove"],
  ),
  onUser("quota", "Set how many engines and bytes of archives a user may have", quotas, [
    { line: "bne registry quota alice --max-bytes none --database registry.db", explains: "No limit of bytes" },
  ]),
  ...crediting("token", "A token", "a token"),
  ...crediting("key", "An API key", "an API key"),
  {
    path: ["registry", "engines"],
    summary: "List engines of all users",
    flags: [{ ...user, summary: "Only the engines of this user" }, most, elsewhere, database],
    takes: ["output"],
    examples: [{ line: "bne registry engines --limit 10 --database registry.db", explains: "Ten of them" }],
  },
  {
    path: ["registry", "audit"],
    elsewhere: ["audit", "registry log"],
    summary: "Show who changed what, the newest change first",
    flags: [
      { ...user, summary: "Changes by this user, and of the user's account, engines and tokens" },
      { name: "since", kind: "text", value: "TIME", summary: "Since a date (UTC) or a time like 2026-11-28T10:20:30Z" },
      most,
      elsewhere,
      database,
    ],
    takes: ["output"],
    examples: [
      { line: "bne registry audit --limit 20 --database registry.db", explains: "The last 20 changes" },
      {
        line: "bne registry audit --user alice --since 2026-11-01 --database registry.db",
        explains: "What alice did since, and what was done to alice",
      },
    ],
  },
  {
    path: ["registry", "statistics"],
    elsewhere: ["registry stats"],
    summary: "Count users, engines and credentials",
    flags: [elsewhere, database],
    takes: ["output"],
    examples: [
      {
        line: "bne registry statistics --database registry.db --output json --jq .engines",
        explains: "The number of engines",
      },
    ],
  },
];
