// Commands for credentials, profiles, settings and the shell.
import type { Command, Flag, Positional } from "./Command.ts";
import { topicNames } from "./Topics.ts";

const profile: Positional = { name: "NAME", summary: "name of a profile", completes: "profiles" };
const key: Positional = { name: "KEY", summary: "name of a setting", completes: "settings" };
const project: Flag = {
  name: "project",
  kind: "switch",
  summary: "In .bne.json of this directory instead of your own file: output and color only",
};

export const accessCommands: ReadonlyArray<Command> = [
  {
    path: ["auth", "login"],
    elsewhere: ["signin", "auth signin"],
    instead: "The server is named by --base-url URL; the token is read from stdin.",
    aliases: [["login"]],
    summary: "Store an access token or an API key",
    details: [
      "The secret is read from stdin, or asked for without showing it. It goes to the keychain of the system when there is one, else to a file that only you can read.",
      "Where tokens come from: `bne help credentials`.",
      "It is bound to the base URL of the profile and is never sent elsewhere. It is tried with one request first.",
      "An API key is exchanged for an access token, which is kept in a file that only you can read, in the cache directory, until shortly before it expires.",
    ],
    flags: [
      { name: "with-token", kind: "switch", summary: "Read an access token (the default)" },
      { name: "with-api-key", kind: "switch", summary: "Read an API key, which is exchanged for access tokens" },
      { name: "no-verify", kind: "switch", summary: "Store it without trying it" },
      { name: "no-keychain", kind: "switch", summary: "Use the file even when there is a keychain" },
    ],
    takes: ["connection"],
    examples: [{ line: 'printf %s "$BYTENITE_TOKEN" | bne auth login --with-token', explains: "From a variable" }],
  },
  {
    path: ["auth", "status"],
    elsewhere: ["whoami", "auth whoami", "auth show"],
    summary: "Show where the credentials come from and how long they last",
    takes: ["connection", "output"],
    examples: [{ line: "bne auth status", explains: "Kind, origin and time left; never the secret" }],
  },
  {
    path: ["auth", "logout"],
    aliases: [["logout"]],
    summary: "Remove the stored credentials of the profile",
    details: ["The access tokens that API keys were exchanged for are forgotten, too, those of all profiles."],
    examples: [{ line: "bne auth logout", explains: "From the keychain and from the file" }],
  },
  {
    path: ["auth", "token"],
    elsewhere: ["token", "auth print"],
    summary: "Print the access token, for other programs",
    flags: [{ name: "show", kind: "switch", summary: "Print it on a terminal, too" }],
    takes: ["connection"],
    examples: [{ line: "bne auth token | wc -c", explains: "Into a pipe; on a terminal it needs --show" }],
  },
  {
    path: ["profile", "list"],
    aliases: [["profile", "ls"]],
    elsewhere: ["context", "contexts", "profiles", "profile show", "profile current", "config get-contexts"],
    summary: "List profiles",
    takes: ["output"],
    examples: [{ line: "bne profile list", explains: "The one in use is marked" }],
  },
  {
    path: ["profile", "use"],
    elsewhere: ["use", "switch", "profile switch", "config use-context"],
    summary: "Use a profile from now on",
    positionals: [profile],
    examples: [{ line: "bne profile use default", explains: "Back to the first one" }],
  },
  {
    path: ["profile", "set"],
    elsewhere: ["configure", "profile add", "profile create", "config set-context"],
    summary: "Make or change a profile",
    positionals: [profile],
    takes: ["connection"],
    examples: [
      { line: "bne profile set local --base-url http://127.0.0.1:8787/v1/dev", explains: "The proxy of `pnpm start`" },
    ],
  },
  {
    path: ["profile", "remove"],
    elsewhere: ["profile delete", "profile rm"],
    summary: "Remove a profile and its credentials",
    positionals: [profile],
    examples: [{ line: "bne profile remove nobody", explains: "Exit code 3 when there is none", exit: 3 }],
  },
  {
    path: ["config", "path"],
    summary: "Print which files are read",
    takes: ["output"],
    examples: [{ line: "bne config path", explains: "Settings, credentials, project file, cache" }],
  },
  {
    path: ["config", "get"],
    elsewhere: ["settings", "config view", "config show"],
    aliases: [["config", "list"]],
    summary: "Print the settings in force",
    details: [
      "Precedence: flag, environment, project file (.bne.json here or above: output and color only), profile, your own file, default.",
    ],
    positionals: [{ ...key, optional: true }],
    flags: [{ name: "show-origin", kind: "switch", summary: "Show where each value comes from" }],
    takes: ["connection", "output"],
    examples: [
      { line: "bne config get", explains: "All of them" },
      { line: "bne config get baseUrl --show-origin", explains: "One, and who says so" },
    ],
  },
  {
    path: ["config", "set"],
    elsewhere: ["config edit", "config unset"],
    summary: "Change a setting; an empty value resets it",
    positionals: [key, { name: "VALUE", summary: "the value, or '' to reset it" }],
    flags: [project],
    examples: [{ line: "bne config set output json", explains: "JSON from now on" }],
  },
  {
    path: ["cache", "clear"],
    summary: "Clear the cache",
    details: [
      "Removes data about servers, tags for completion, and access tokens that API keys were exchanged for. All of it is fetched again when needed.",
    ],
    examples: [{ line: "bne cache clear", explains: "Everything is fetched anew" }],
  },
];

/** Shells that a completion script can be made for. */
export const shells = ["bash", "zsh", "fish", "powershell"] as const;

export const shellCommands: ReadonlyArray<Command> = [
  {
    path: ["completion"],
    elsewhere: ["completions", "autocomplete"],
    summary: "Print the completion script of a shell",
    positionals: [{ name: "SHELL", summary: shells.join(", "), completes: shells }],
    details: [
      "bash: `source <(bne completion bash)` in ~/.bashrc.",
      "zsh: `source <(bne completion zsh)` in ~/.zshrc.",
      "fish: `bne completion fish | source` in ~/.config/fish/config.fish.",
      "PowerShell: `bne completion powershell | Out-String | Invoke-Expression` in $PROFILE.",
      "Commands, flags, values, profiles and the tags of your engines complete.",
    ],
    examples: [{ line: "bne completion bash", explains: "To be sourced" }],
  },
  {
    path: ["version"],
    summary: "Print the version",
    takes: ["output"],
    examples: [
      { line: "bne version", explains: "The same as `bne --version`" },
      { line: "bne version --output json", explains: "With the Node that runs it" },
    ],
  },
  {
    path: ["help"],
    summary: "Show help for a command or a topic",
    details: [`Topics: ${topicNames.join(", ")}.`],
    positionals: [{ name: "COMMAND", summary: "words of a command, or a topic", optional: true, many: true }],
    examples: [
      { line: "bne help auth login", explains: "The same as `bne auth login --help`" },
      { line: "bne help credentials", explains: "Where tokens come from, and where they go" },
    ],
  },
  {
    path: ["commands"],
    summary: "Describe every command, its flags and its exit codes, for programs",
    details: [
      "Made from the table that makes parsing, help, completion and man pages. `output` of a command is the JSON Schema (2020-12) of what it writes with --output json, for watch of one line; `errors` that of an error on stderr. `schemaVersion` is raised when a field changes its meaning or goes.",
    ],
    takes: ["output"],
    examples: [
      { line: "bne commands --jq '.commands[].name'", explains: "All names" },
      {
        line: "bne commands --jq '.commands[] | select(.name == \"bne list\") | .output'",
        explains: "The schema of a list",
      },
    ],
  },
];
