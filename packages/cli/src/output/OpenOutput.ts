// Opens stdout for the records of a command: in the form that holds, through a pager on a terminal.
import { isOn, textOf, wordsOf, type Invocation } from "../Invocation.ts";
import type { OutputForm } from "../table/Flags.ts";
import { isInstalled, missingProgram } from "../terminal/Pager.ts";
import { writerOf, type OutputOptions } from "./Output.ts";
import type { RecordWriter, Shape } from "./Shape.ts";

/** What was asked for by flags and settings. */
export const outputOptions = (invocation: Invocation): OutputOptions => {
  const { value, kind } = invocation.settings.of("output");
  return {
    form: value as OutputForm,
    named: kind === "flag",
    jq: textOf(invocation, "jq"),
    columns: wordsOf(invocation, "columns"),
    headers: !isOn(invocation, "no-headers"),
    terminal: invocation.terminal,
    now: Date.now,
  };
};

/** The writer of a command's records. `paged` false: what is shown is not for reading through. */
export const openOutput = (invocation: Invocation, shape: Shape, paged = true): Promise<RecordWriter> => {
  const command = paged && !isOn(invocation, "no-pager") ? pagerOf(invocation) : undefined;
  const { height } = invocation.terminal;
  if (command !== undefined && height !== undefined) {
    invocation.stdout.usePager({ command, height, env: invocation.env });
  }
  return writerOf(outputOptions(invocation), shape, invocation.stdout.write);
};

const pagerOf = ({ settings, env, terminal, notes }: Invocation): string | undefined => {
  if (!terminal.isTTY || !terminal.live) return undefined;
  const chosen = settings.text("pager") ?? env["PAGER"] ?? (isInstalled("less", env["PATH"]) ? "less" : "");
  if (chosen === "" || chosen === "cat") return undefined;
  const missing = missingProgram(chosen, env);
  if (missing === undefined) return chosen;
  notes.warn(`there is no pager ${missing}; see \`bne config get pager --show-origin\``);
  return undefined;
};
