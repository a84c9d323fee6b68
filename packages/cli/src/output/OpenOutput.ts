// Opens stdout for the records of a command: in the form that holds, through a pager on a terminal.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { isOn, textOf, wordsOf, type Invocation } from "../Invocation.ts";
import type { OutputForm } from "../table/Flags.ts";
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

const pagerOf = ({ settings, env, terminal }: Invocation): string | undefined => {
  if (!terminal.isTTY || !terminal.live) return undefined;
  const chosen = settings.text("pager") ?? env["PAGER"] ?? (isInstalled("less", env["PATH"]) ? "less" : "");
  return chosen === "" || chosen === "cat" ? undefined : chosen;
};

const isInstalled = (name: string, path = ""): boolean =>
  path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
