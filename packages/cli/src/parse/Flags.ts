// Flags common to many commands.
import type { Flag } from "./Command.ts";

/** Values of --output. */
export const outputForms = ["table", "wide", "json", "yaml", "ndjson", "csv", "name", "protobuf"] as const;

/** A form of output. */
export type OutputForm = (typeof outputForms)[number];

/** Flags that every command takes. */
export const everywhere: ReadonlyArray<Flag> = [
  { name: "help", short: "h", kind: "switch", summary: "Show help for the command" },
  { name: "version", short: "V", kind: "switch", summary: "Print the version" },
  {
    name: "verbose",
    short: "v",
    kind: "switch",
    summary: "Print every request on stderr, and the stack of an unexpected error",
  },
  { name: "trace", kind: "switch", summary: "Print every request on stderr as one JSON object per line" },
  { name: "quiet", short: "q", kind: "switch", summary: "No progress, notes or warnings on stderr; errors only" },
  {
    name: "color",
    kind: "choice",
    choices: ["auto", "always", "never"],
    value: "WHEN",
    summary: "Colour: auto, always or never",
  },
  {
    name: "profile",
    kind: "text",
    value: "NAME",
    summary: "Use this profile (BYTENITE_PROFILE)",
    completes: "profiles",
  },
];

/** Flags of commands that call the API. */
export const connection: ReadonlyArray<Flag> = [
  { name: "base-url", kind: "url", value: "URL", summary: "Where the API is, with its path (BYTENITE_BASE_URL)" },
  {
    name: "auth-url",
    kind: "url",
    value: "URL",
    summary: "Where an API key is exchanged for access tokens (BYTENITE_AUTH_URL)",
  },
  {
    name: "token",
    kind: "text",
    value: "TOKEN",
    summary:
      "Access token, `-` to read it from stdin; others on this machine can see an argument: prefer BYTENITE_TOKEN or `bne auth login`",
  },
  {
    name: "wire-format",
    kind: "choice",
    choices: ["auto", "protobuf", "json"],
    value: "FORM",
    summary: "Encoding between bne and the server: auto, protobuf or json",
  },
  {
    name: "deadline",
    kind: "duration",
    value: "TIME",
    least: 1,
    summary: "Longest time for one call with all its attempts, e.g. 30s",
  },
  { name: "fresh", kind: "switch", summary: "Ask past caches on the way" },
  { name: "attempts", kind: "count", value: "N", least: 1, summary: "Requests sent for one call, at most" },
];

/** Flags of commands that print records. */
export const output: ReadonlyArray<Flag> = [
  {
    name: "output",
    short: "o",
    kind: "choice",
    choices: outputForms,
    value: "FORM",
    summary: `How data is written: ${outputForms.join(", ")}`,
  },
  {
    name: "columns",
    kind: "words",
    value: "A,B,...",
    summary: "Fields to show, by their API names, e.g. name,version,platformConfig.container",
  },
  {
    name: "jq",
    kind: "text",
    value: "EXPR",
    summary: "Run a jq expression over the JSON; with --output ndjson over each record as it arrives",
  },
  { name: "no-headers", kind: "switch", summary: "No header line in table, wide and csv" },
  { name: "no-pager", kind: "switch", summary: "Never start a pager" },
  { name: "show-secrets", kind: "switch", summary: "Show platformConfig.token instead of REDACTED" },
];

/**
 * Flags of other programs and their equivalents here: not accepted, but suggested. The first equivalent that the command has is
 * used; a line applies to the command that it begins with, a whole command to any.
 */
export const flagsElsewhere: Readonly<Record<string, ReadonlyArray<string>>> = {
  json: ["--output json"],
  yaml: ["--output yaml"],
  csv: ["--output csv"],
  format: ["--output FORM"],
  template: ["--jq EXPR"],
  query: ["--jq EXPR"],
  fields: ["--columns A,B,..."],
  sort: ["--order-by FIELD"],
  "sort-by": ["--order-by FIELD"],
  filter: ["--type TYPE, --status STATUS or --name GLOB"],
  selector: ["--type TYPE, --status STATUS or --name GLOB"],
  l: ["--limit N"],
  L: ["--limit N"],
  n: ["--limit N"],
  A: ["--all"],
  a: ["--all", "--activate"],
  host: ["--base-url URL"],
  hostname: ["--base-url URL"],
  server: ["--base-url URL"],
  url: ["--base-url URL"],
  endpoint: ["--base-url URL"],
  for: ["--timeout TIME"],
  duration: ["--timeout TIME"],
  timeout: ["--deadline TIME"],
  until: ["--for STATUS"],
  retry: ["--attempts N"],
  retries: ["--attempts N"],
  force: ["--yes"],
  f: ["--yes", "--force"],
  o: ["--file FILE"],
  output: ["--file FILE"],
  body: ["--input FILE"],
  data: ["--input FILE"],
  d: ["--input FILE"],
  X: ["bne raw METHOD PATH"],
  method: ["bne raw METHOD PATH"],
  H: ["--accept TYPE"],
  w: ["bne watch"],
  watch: ["bne watch"],
  s: ["bne completion SHELL"],
  shell: ["bne completion SHELL"],
  short: ["bne version --output name"],
  kind: ["--with-token or --with-api-key"],
  "api-key": ["--with-api-key"],
  key: ["--with-api-key"],
  debug: ["--verbose"],
  silent: ["--quiet"],
  "no-color": ["--color never"],
};

/** The groups by name. */
export const flagGroups = { connection, output } as const;
