// Shows all versions of an engine, the latest first.
import { compareVersions, parseVersion } from "@bytenite-engines/core/wire";
import type { Engine } from "@bytenite-engines/proto";
import { clientOf } from "../Client.ts";
import { exitCodes } from "../ExitCode.ts";
import { CommandError } from "../Failure.ts";
import { isOn, positional, type Invocation } from "../Invocation.ts";
import { openOutput } from "../output/OpenOutput.ts";
import { engineShape, listedRecord } from "../output/Records.ts";
import { pagesOf } from "../Pages.ts";
import { didYouMean } from "../Suggestion.ts";
import { safeText } from "../text/SafeText.ts";
import { UsageError } from "../UsageError.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes, signal } = invocation;
  const name = positional(invocation, 0);
  const [bare = name] = name.split("@");
  if (bare !== name) {
    throw new UsageError(
      `bne versions takes a name without version, not ${JSON.stringify(name.slice(0, 100))}`,
      `For all of its versions: bne versions ${bare.slice(0, 100)}`,
    );
  }
  const writer = await openOutput(invocation, engineShape("array"));
  const client = await clientOf(invocation);
  const found: Array<Engine> = [];
  const names = new Set<string>();
  for await (const page of pagesOf(client, {}, signal)) {
    notes.progress(`looking for versions of ${name}, ${page.read} of ${page.pagination?.total ?? "?"} engines`);
    for (const engine of page.engines) {
      if (engine.name === name) found.push(engine);
      else names.add(engine.name);
    }
  }
  notes.progress(undefined);
  if (found.length === 0) {
    const hint = didYouMean(name, names) ?? "`bne list --all` shows the engines there are.";
    throw new CommandError(`There is no engine named ${safeText(name)}`, exitCodes.notFound, safeText(hint));
  }
  found.sort(latestFirst);
  await writer.write(found.map((engine) => listedRecord(engine, isOn(invocation, "show-secrets"))));
  await writer.end();
  return exitCodes.ok;
};

/** Versions that are no pair of integers come last, as they came. */
const latestFirst = (a: Engine, b: Engine): number => {
  const [left, right] = [parseVersion(a.version), parseVersion(b.version)];
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined);
  return compareVersions(right, left);
};
