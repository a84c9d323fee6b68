// Commands that show, follow and compare engines.
import type { Command, Flag, Positional } from "./Command.ts";

export const tag: Positional = { name: "TAG", summary: "name, name@major or name@major.minor", completes: "tags" };
export const tags: Positional = { ...tag, many: true };
export const asks = ["connection", "output"] as const;

/** Methods that `bne raw` sends. */
export const rawMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Forms in which `bne watch` writes: one document never ends. */
export const watchForms = ["table", "wide", "ndjson"] as const;

/** Forms in which `bne raw` writes a JSON body. */
export const bodyForms = ["json", "ndjson", "yaml", "protobuf"] as const;

const selection: ReadonlyArray<Flag> = [
  { name: "public", kind: "switch", summary: "Only engines that everybody may see" },
  {
    name: "order-by",
    kind: "text",
    value: "FIELD",
    summary: "Field to sort by; the API documents createdAt",
    completes: ["createdAt"],
  },
  { name: "limit", kind: "count", value: "N", least: 1, summary: "Engines to show, at most" },
  {
    name: "page-size",
    kind: "count",
    value: "N",
    least: 1,
    summary: "Engines to ask for at once; a server may send fewer",
  },
  { name: "offset", kind: "count", value: "N", summary: "Engines to skip" },
];

/** Filters of `bne list`; completions are the values that the API documents. */
export const filters: ReadonlyArray<Flag> = [
  { name: "type", kind: "text", value: "TYPE", summary: "Only this type", completes: ["partitioner", "assembler"] },
  { name: "status", kind: "text", value: "STATUS", summary: "Only this status", completes: ["active", "inactive"] },
  { name: "name", kind: "text", value: "GLOB", summary: "Only names that match, with * and ?", completes: "names" },
];

export const engineCommands: ReadonlyArray<Command> = [
  {
    path: ["list"],
    elsewhere: ["search", "find"],
    instead: "`bne get TAG` shows one engine; --name GLOB chooses by name.",
    aliases: [["ls"]],
    summary: "List engines",
    details: [
      "Shows one page as the API gives it; --all reads every page and shows each as it arrives, --limit as many as it takes.",
      "The filters --type, --status and --name are applied by bne, not by the server, so they read every page; --limit and --offset then count engines that match.",
      "What is left out is said on stderr: engines, and on a terminal columns and the ends of values.",
    ],
    flags: [...selection, { name: "all", kind: "switch", summary: "Read every page" }, ...filters],
    takes: asks,
    examples: [
      { line: "bne list", explains: "One page of your engines" },
      { line: "bne list --all --type assembler --output name", explains: "The tags of all assemblers" },
      { line: "bne list --all --jq '.engines | length'", explains: "How many there are" },
      { line: "bne list --all --output ndjson --jq .name", explains: "Each name as soon as it arrives" },
      { line: "bne list --columns name,version,platformConfig.container", explains: "Chosen fields" },
    ],
  },
  {
    path: ["get"],
    elsewhere: ["describe", "show", "view", "info", "inspect"],
    summary: "Show engines by their tags",
    details: ["One tag gives one object in JSON and YAML, several give an array."],
    positionals: [tags],
    takes: asks,
    examples: [
      { line: "bne get zipper@0.1", explains: "One version" },
      { line: "bne get zipper --output json", explains: "The latest version as the API's JSON" },
      { line: "bne get zipper fanout-urls --output csv", explains: "Two of them as CSV" },
      { line: "bne get zipper --jq .deviceRequirements.minMemory", explains: "One field, for scripts" },
    ],
  },
  {
    path: ["status"],
    elsewhere: ["state"],
    summary: "Show the status of engines",
    details: ["One tag gives one object in JSON and YAML, several give an array."],
    positionals: [tags],
    takes: asks,
    examples: [
      { line: "bne status zipper@0.1", explains: "Its status" },
      { line: "bne status zipper --jq .engineStatus", explains: "The word alone" },
      { line: "bne status zipper fanout-urls --output csv", explains: "Two of them as CSV" },
    ],
  },
  {
    path: ["versions"],
    elsewhere: ["tags", "history"],
    summary: "Show all versions of an engine, the latest first",
    positionals: [{ name: "NAME", summary: "name of the engine, without version", completes: "names" }],
    takes: asks,
    examples: [
      { line: "bne versions zipper", explains: "All versions" },
      { line: "bne versions zipper --output name --no-pager", explains: "All tags" },
    ],
  },

  {
    path: ["export"],
    elsewhere: ["dump", "backup"],
    summary: "Write engines as NDJSON, for backups",
    details: [
      "--file is written as a whole or not at all, and replaces a file that is there. Secrets are redacted unless --show-secrets is given.",
    ],
    positionals: [{ ...tags, optional: true }],
    flags: [
      { name: "all", kind: "switch", summary: "All engines" },
      { name: "public", kind: "switch", summary: "With --all: only engines that everybody may see" },
      { name: "file", kind: "text", value: "FILE", summary: "Write here instead of to stdout", completes: "files" },
      { name: "show-secrets", kind: "switch", summary: "Keep platformConfig.token, so that the backup is complete" },
    ],
    takes: ["connection"],
    examples: [
      { line: "bne export --all > engines.ndjson", explains: "Everything, by the shell" },
      { line: "bne export --all --file engines.ndjson", explains: "Everything, never a half-written file" },
    ],
  },
  {
    path: ["doctor"],
    elsewhere: ["ping", "health", "diagnose", "check"],
    summary: "Check connection, login and protocol, and say what is wrong",
    details: [
      "Name, TLS, credentials (never their value), latency, media types, clock, cache, retry hints; and whether the protobuf of the server agrees with the contract, field by field, by comparing it with the JSON.",
      "Exit code 0 when all is well, else 7. What could not be found out does not count.",
    ],
    flags: [
      {
        name: "emit-proto",
        kind: "text",
        value: "FILE",
        summary: "Write a .proto with the field numbers that were found",
        completes: "files",
      },
    ],
    takes: asks,
    examples: [
      { line: "bne doctor", explains: "All of it, for people" },
      { line: "bne doctor --jq '.checks[] | select(.state != \"ok\")'", explains: "What is not well, for programs" },
      {
        line: "bne doctor --quiet --output name --emit-proto theirs.proto",
        explains: "A .proto for `protoc --decode`",
      },
    ],
  },
  {
    path: ["raw"],
    elsewhere: ["api", "curl", "request"],
    summary: "Send any request to the API",
    details: [
      "The path is taken below the base URL. Without a method it is GET, or POST with --input. The response body is written whatever the status is; the exit code depends on it. JSON is coloured and indented on a terminal, elsewhere it is as it came.",
      "--field NAME=VALUE goes into the query of a GET, else into a JSON object, where true, false, null and numbers are what they look like. Requests other than GET are sent once.",
      'In a JSON body every "token" is REDACTED unless --show-secrets is given; any other body is written as it came.',
    ],
    positionals: [
      { name: "METHOD", summary: rawMethods.join(", "), optional: true, completes: rawMethods },
      { name: "PATH", summary: "path and query, e.g. /engines?isPublic=true" },
    ],
    flags: [
      {
        name: "field",
        short: "f",
        kind: "pairs",
        value: "NAME=VALUE",
        summary: "A field of the query or of the JSON body; may be repeated",
      },
      {
        name: "input",
        kind: "text",
        value: "FILE",
        summary: "Send this file as the body, `-` for stdin",
        completes: "files",
      },
      { name: "all", kind: "switch", summary: "Read every page of a list, each a document of its own" },
      {
        name: "accept",
        kind: "text",
        value: "TYPE",
        summary: "Media type to ask for (default application/json)",
        completes: ["application/json", "application/x-protobuf"],
      },
      {
        name: "content-type",
        kind: "text",
        value: "TYPE",
        summary: "Media type of --input (default application/json)",
        completes: ["application/json", "application/x-protobuf"],
      },
      {
        name: "output",
        short: "o",
        kind: "choice",
        choices: bodyForms,
        value: "FORM",
        summary: "json (as it came; the default), ndjson (a line for each body), yaml, protobuf (what is asked for)",
      },
      { name: "jq", kind: "text", value: "EXPR", summary: "Run a jq expression over a JSON body" },
      { name: "no-pager", kind: "switch", summary: "Never start a pager" },
      { name: "include", short: "i", kind: "switch", summary: "Print status and headers on stderr" },
      { name: "show-secrets", kind: "switch", summary: "Show tokens in the body instead of REDACTED" },
    ],
    takes: ["connection"],
    examples: [
      { line: "bne raw /engines --field pagination.limit=1", explains: "One page of one engine" },
      { line: "bne raw /engines --all --jq '.engines[].name'", explains: "All pages, chosen by jq" },
      { line: "bne raw GET /engines/zipper/status --include", explains: "With status and headers" },
    ],
  },
];

const folder: Positional = {
  name: "FOLDER",
  summary: "folder of the engine, with manifest.json; default: the working folder",
  optional: true,
  completes: "files",
};

export const lifecycleCommands: ReadonlyArray<Command> = [
  {
    path: ["new"],
    elsewhere: ["init", "create"],
    summary: "Make the folder of an engine, with its manifest",
    details: [
      "Makes NAME/manifest.json for version 0.1 and the folder NAME/app for the code. `bne help manifests` describes the keys. An existing manifest is never changed.",
    ],
    positionals: [{ name: "NAME", summary: "name of the engine: letters, digits, - and _" }],
    flags: [
      {
        name: "type",
        kind: "text",
        value: "TYPE",
        summary: "partitioner or assembler",
        completes: ["partitioner", "assembler"],
      },
    ],
    examples: [{ line: "bne new hello --type partitioner", explains: "hello/manifest.json and hello/app" }],
  },
  {
    path: ["validate"],
    elsewhere: ["lint", "verify"],
    summary: "Check the folder of an engine, without a server",
    details: [
      "Every problem of the manifest with line and column, every file that cannot be sent, and what looks like a secret. Exit code 0 without errors, else 7; warnings do not count.",
    ],
    positionals: [folder],
    takes: ["output"],
    examples: [
      { line: "bne validate hello", explains: "All that is wrong" },
      { line: "bne validate hello --jq .hash", explains: "The hash that a push would have" },
    ],
  },
  {
    path: ["push"],
    elsewhere: ["apply", "publish", "upload", "deploy"],
    summary: "Upload the folder of an engine",
    details: [
      "The folder becomes a tar archive, the same every time for the same files: sorted, without times and owners. Name and version are those of manifest.json; a version that is there is overwritten, and stays active or inactive. When the archive is the same, nothing is sent.",
      "Left out: .git, .hg, .svn, .venv, node_modules, `__pycache__`, `*.pyc`, .DS_Store and Thumbs.db, and what .bneignore in the folder names, in the syntax of .gitignore (`!NAME` takes back). Links are errors.",
      "The files that were sent are listed. What looks like a secret is a warning, before anything is sent.",
    ],
    positionals: [folder],
    flags: [
      { name: "activate", kind: "switch", summary: "Activate the engine, too" },
      { name: "dry-run", kind: "switch", summary: "Show what would be sent, and send nothing" },
      {
        name: "if-revision",
        kind: "count",
        value: "N",
        summary: "Only if the engine has this revision now; 0: only if it is not there yet. Else exit code 7",
      },
    ],
    takes: asks,
    examples: [
      { line: "bne push hello --dry-run", explains: "What would be sent" },
      { line: "bne push hello --activate", explains: "Upload and activate" },
      { line: "bne push hello --output json --jq .result", explains: "created, updated, activated or unchanged" },
    ],
  },
  {
    path: ["pull"],
    elsewhere: ["download", "clone"],
    summary: "Download an engine into a folder",
    details: [
      "The download must have the hash of the engine. Only plain files below FOLDER are written. Existing files are replaced with --force only; files that the archive does not have stay.",
    ],
    positionals: [
      tag,
      { name: "FOLDER", summary: "where to; default: the engine's name", optional: true, completes: "files" },
    ],
    flags: [{ name: "force", kind: "switch", summary: "Replace files that are there" }],
    takes: asks,
    examples: [{ line: "bne pull hello copy", explains: "The latest version, into copy" }],
  },
  {
    path: ["activate"],
    elsewhere: ["enable", "start"],
    summary: "Activate engines, so that jobs can use them",
    details: ["A tag without a version means the latest one. An engine that is active stays so: exit code 0."],
    positionals: [tags],
    takes: asks,
    examples: [{ line: "bne activate hello", explains: "One engine" }],
  },
  {
    path: ["deactivate"],
    elsewhere: ["disable", "stop"],
    summary: "Deactivate engines, so that no job uses them",
    details: ["A tag without a version means the latest one. An engine that is inactive stays so: exit code 0."],
    positionals: [tags],
    takes: asks,
    examples: [{ line: "bne deactivate hello", explains: "One engine" }],
  },
  {
    path: ["delete"],
    elsewhere: ["rm", "remove", "destroy"],
    summary: "Delete engines and their archives",
    details: [
      "Whole tags only, name@major.minor. It asks first; without a terminal it needs --yes. The operation is an extension of the registry of this project: other servers may not have it.",
    ],
    positionals: [{ ...tags, summary: "name@major.minor" }],
    flags: [{ name: "yes", short: "y", kind: "switch", summary: "Do not ask" }],
    takes: asks,
    examples: [{ line: "bne delete hello@0.1 --yes", explains: "One version" }],
  },
];

const interval: Flag = {
  name: "interval",
  kind: "duration",
  value: "TIME",
  least: 10,
  summary: "Time between two looks (default 2s)",
};

export const changeCommands: ReadonlyArray<Command> = [
  {
    path: ["wait"],
    summary: "Wait until engines have a status, exist, or are deleted",
    details: [
      "Exit code 0 once all of them have, 7 when the time is over, 5 when the server did not answer in the end, and 3 at once when an engine that is to have a status does not exist. Failures that may pass are waited out.",
      "--for takes active, inactive, exists, deleted, !=STATUS for any other status, and =WORD for a status that only this server uses. Caches are asked past.",
    ],
    positionals: [tags],
    flags: [
      {
        name: "for",
        kind: "text",
        value: "STATUS",
        summary: "Status to wait for, or exists, deleted, !=STATUS (default active)",
        completes: ["active", "inactive", "exists", "deleted", "!=active", "!=inactive"],
      },
      { name: "timeout", kind: "duration", value: "TIME", summary: "Longest time to wait (default 5m)" },
      interval,
    ],
    takes: asks,
    examples: [
      { line: "bne wait zipper@0.1 fanout-urls --for active --timeout 5m", explains: "Before a job that needs them" },
      { line: "bne wait no-such-engine --for deleted", explains: "Until it is gone" },
      {
        line: "bne wait zipper --for inactive --timeout 1s --interval 200ms",
        explains: "Not within a second: exit code 7",
        exit: 7,
      },
    ],
  },
  {
    path: ["watch"],
    elsewhere: ["logs", "tail", "events"],
    summary: "Watch engines change",
    details: [
      "On a terminal a table that keeps itself up to date; in a pipe or a file, or with --output ndjson, NDJSON: a line for each event (added, changed, removed).",
      "Without a tag all engines are watched. Ends with Ctrl-C, or after --timeout with exit code 0; with 5 when the server did not answer in the end. Caches are asked past.",
    ],
    positionals: [{ ...tags, optional: true }],
    flags: [
      interval,
      { name: "timeout", kind: "duration", value: "TIME", summary: "End after this time" },
      {
        name: "output",
        short: "o",
        kind: "choice",
        choices: watchForms,
        value: "FORM",
        summary: "table or wide, on a terminal; or ndjson",
      },
    ],
    takes: asks,
    examples: [{ line: "bne watch zipper fanout-urls --timeout 1s", explains: "Two engines, for a second" }],
  },
  {
    path: ["diff"],
    summary: "Compare two engines field by field",
    details: [
      "A unified diff, whole and coloured on a terminal; the other forms of --output have a record for each field that differs.",
      "Exit code 0 when they agree, 7 when they differ. What differs from version to version anyway (id, name, version, revision, link, createdAt, updatedAt, deletedAt) counts only with --everything.",
    ],
    positionals: [
      { ...tag, name: "LEFT", summary: "a tag" },
      { ...tag, name: "RIGHT", summary: "another tag" },
    ],
    flags: [
      { name: "everything", kind: "switch", summary: "Compare id, name, version, revision, link and times, too" },
    ],
    takes: asks,
    examples: [
      { line: "bne diff zipper zipper@0.1", explains: "The same: exit code 0" },
      {
        line: "bne diff zipper fanout-urls --output json",
        explains: "What differs, for programs: exit code 7",
        exit: 7,
      },
    ],
  },
];
