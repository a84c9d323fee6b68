// Decides: which commands help with the shell.
import type { Command } from "../Command.ts";

/** Shells that a completion script can be made for. */
export const shells = ["bash", "zsh", "fish", "powershell"] as const;

export const shellCommands: ReadonlyArray<Command> = [
  {
    path: ["completion"],
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
    load: () => import("../commands/completion.ts"),
  },
  {
    path: ["help"],
    summary: "Show help for a command",
    positionals: [{ name: "COMMAND", summary: "words of a command", optional: true, many: true }],
    examples: [{ line: "bne help auth login", explains: "The same as `bne auth login --help`" }],
    load: () => import("../commands/help.ts"),
  },
];
