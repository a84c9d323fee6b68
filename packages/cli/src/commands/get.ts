// bne get, status, versions: engines by their tags.
import { compareVersions, parseVersion } from "@bytenite-engines/core/wire";
import type { Engine } from "@bytenite-engines/proto";
import { CommandError, UsageError } from "../Errors.ts";
import { exitCodes } from "../ExitCode.ts";
import { isOn, type Invocation, positional } from "../Invocation.ts";
import { clientOf } from "../client/Client.ts";
import { pagesOf } from "../client/Pages.ts";
import { withTagHints } from "../client/TagHints.ts";
import { engineRecord, engineShape, statusRecord, statusShape, listedRecord } from "../output/EngineShape.ts";
import { shapeOfTags, openOutput } from "../output/Output.ts";
import { didYouMean } from "../parse/Suggestion.ts";
import { safeText } from "../terminal/SafeText.ts";

export const get = async (invocation: Invocation): Promise<number> => {
  const { signal, notes } = invocation;
  const tags = invocation.arguments.positionals;
  const writer = await openOutput(invocation, shapeOfTags(invocation, engineShape));
  const client = await clientOf(invocation);
  notes.progress(`asking for ${tags.join(", ")}`);
  // Nothing is written unless all are there.
  const engines = await Promise.all(
    tags.map((tag) => withTagHints(client, tag, signal, () => client.get(tag, { signal }))),
  );
  notes.progress(undefined);
  await writer.write(engines.map((engine) => engineRecord(engine, isOn(invocation, "show-secrets"))));
  await writer.end();
  return exitCodes.ok;
};

export const status = async (invocation: Invocation): Promise<number> => {
  const { signal, notes } = invocation;
  const tags = invocation.arguments.positionals;
  const writer = await openOutput(invocation, shapeOfTags(invocation, statusShape));
  const client = await clientOf(invocation);
  notes.progress(`asking for the status of ${tags.join(", ")}`);
  // Nothing is written unless all are there.
  const messages = await Promise.all(
    tags.map((tag) => withTagHints(client, tag, signal, () => client.status(tag, { signal }))),
  );
  notes.progress(undefined);
  await writer.write(messages.map(statusRecord));
  await writer.end();
  return exitCodes.ok;
};

export const versions = async (invocation: Invocation): Promise<number> => {
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
