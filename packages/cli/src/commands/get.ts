// bne get, status, versions: engines by their tags.
import { compareVersions, didYouMean, parseVersion } from "@bytenite-engines/core/wire";
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import type { PromiseEngineClient } from "@bytenite-engines/core/promise";
import type { Engine } from "@bytenite-engines/proto";
import { SeveralErrors, exitCodes } from "../Errors.ts";
import { failureOf } from "../Failure.ts";
import { isOn, type Invocation, positional } from "../Invocation.ts";
import { clientOf, withTagHints } from "../client/Client.ts";
import { largePage, pagesOf } from "../client/Pages.ts";
import { engineRecord, engineShape, statusRecord, statusShape, listedRecord } from "../output/EngineShape.ts";
import { openOutput, shapeOfTags } from "../output/Output.ts";
import type { OutputRecord, Shape } from "../output/Shape.ts";
import { safeText } from "../terminal/SafeText.ts";

export const get = async (invocation: Invocation): Promise<number> => {
  const { signal } = invocation;
  const showSecrets = isOn(invocation, "show-secrets");
  return eachTag(invocation, engineShape, "asking for ", async (client, tag) =>
    engineRecord(await client.get(tag, { signal }), showSecrets),
  );
};

export const status = async (invocation: Invocation): Promise<number> => {
  const { signal } = invocation;
  return eachTag(invocation, statusShape, "asking for the status of ", async (client, tag) =>
    statusRecord(await client.status(tag, { signal })),
  );
};

/** Calls the API for each tag of the run; writes what came back, then fails with what failed. */
export const eachTag = async (
  invocation: Invocation,
  shapeOf: (document: "one" | "array") => Shape,
  doing: string,
  ask: (client: PromiseEngineClient, tag: string) => Promise<OutputRecord>,
): Promise<number> => {
  const { notes, signal } = invocation;
  const tags = invocation.arguments.positionals;
  const writer = await openOutput(invocation, shapeOfTags(invocation, shapeOf));
  const client = await clientOf(invocation);
  notes.progress(`${doing}${tags.join(", ")}`);
  const records: Array<OutputRecord> = [];
  const failures: Array<Error> = [];
  const asked = tags.map((tag) => withTagHints(invocation, client, tag, () => ask(client, tag)));
  for (const answer of await Promise.allSettled(asked)) {
    if (answer.status === "fulfilled") records.push(answer.value);
    else failures.push(answer.reason as Error);
  }
  notes.progress(undefined);
  if (signal.aborted) throw signal.reason;
  if (records.length > 0) {
    await writer.write(records);
    await writer.end();
  }
  if (failures.length > 0) throw new SeveralErrors(differing(failures));
  return exitCodes.ok;
};

/** A server that cannot be reached fails for each tag in the same way, which is reported once. */
const differing = (failures: ReadonlyArray<Error>): ReadonlyArray<Error> =>
  [...new Map(failures.toReversed().map((error) => [failureOf(error).message, error])).values()].toReversed();

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
  const whole = { size: largePage, isSizeOurs: true, ahead: Infinity };
  const found: Array<Engine> = [];
  const names = new Set<string>();
  for await (const page of pagesOf(client, {}, signal, whole)) {
    notes.progress(`looking for versions of ${name}, ${page.read} of ${page.pagination?.total ?? "?"} engines`);
    for (const engine of page.engines) {
      if (engine.name === name) found.push(engine);
      else names.add(engine.name);
    }
  }
  notes.progress(undefined);
  if (found.length === 0) {
    const hint = didYouMean(name, names) ?? "`bne list --all` shows the engines there are.";
    throw new UserError(`There is no engine named ${safeText(name)}`, exitCodes.notFound, safeText(hint));
  }
  found.sort(latestFirst);
  await writer.write(found.map((engine) => listedRecord(engine, isOn(invocation, "show-secrets"))));
  await writer.end();
  return exitCodes.ok;
};

/** Versions other than pairs of integers come last, unchanged. */
const latestFirst = (a: Engine, b: Engine): number => {
  const [left, right] = [parseVersion(a.version), parseVersion(b.version)];
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined);
  return compareVersions(right, left);
};
