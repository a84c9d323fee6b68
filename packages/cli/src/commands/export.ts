// Writes engines as NDJSON, for backups.
import { UsageError } from "@bytenite-engines/registry/command";
import { resolve } from "node:path";
import type { Engine } from "@bytenite-engines/proto";
import type { PromiseEngineClient } from "@bytenite-engines/core/promise";
import { clientOf, withTagHints } from "../client/Client.ts";
import { exitCodes } from "../Errors.ts";
import { isOn, textOf, type Invocation } from "../Invocation.ts";
import { ndjson } from "../output/TextWriters.ts";
import { engineRecord } from "../output/EngineShape.ts";
import { pagesOf, inPieces, keepHeapSmall, largePage } from "../client/Pages.ts";
import { beginAtomically } from "../config/Files.ts";
import { safeLines } from "../terminal/SafeText.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes, stdout, terminal, cwd } = invocation;
  const tags = invocation.arguments.positionals;
  const all = isOn(invocation, "all");
  if (all === tags.length > 0) {
    throw new UsageError(
      "bne export needs tags, or --all for everything",
      "For example: bne export --all --file engines.ndjson",
    );
  }
  const showSecrets = isOn(invocation, "show-secrets");
  const client = await clientOf(invocation);
  const path = textOf(invocation, "file");
  const file = path === undefined ? undefined : beginAtomically(resolve(cwd, path), 0o600, !showSecrets);
  let written = 0;
  let hidden = 0;
  try {
    for await (const engines of batches(invocation, client)) {
      if (!showSecrets) hidden += engines.filter(({ platformConfig }) => (platformConfig?.token ?? "") !== "").length;
      const text = ndjson(engines.map((engine) => engineRecord(engine, showSecrets)));
      written += engines.length;
      if (file === undefined) await stdout.write(terminal.isTTY ? safeLines(text) : text);
      else file.write(text);
    }
    file?.commit();
  } finally {
    file?.discard();
    notes.progress(undefined);
  }
  if (hidden > 0)
    notes.warn(`${hidden} secrets were redacted; --show-secrets keeps them, so that the backup is complete`);
  if (path !== undefined) notes.note(`${written} engines in ${path}`);
  return exitCodes.ok;
};

async function* batches(invocation: Invocation, client: PromiseEngineClient): AsyncGenerator<ReadonlyArray<Engine>> {
  const { notes, signal } = invocation;
  const tags = invocation.arguments.positionals;
  for (const tag of tags) {
    notes.progress(`asking for ${tag}`);
    yield [await withTagHints(invocation, client, tag, () => client.get(tag, { signal }))];
  }
  if (tags.length > 0) return;
  keepHeapSmall();
  const whole = { size: largePage, isSizeOurs: true, ahead: Infinity };
  const params = { isPublic: isOn(invocation, "public") };
  for await (const { engines, pages, read, pagination } of pagesOf(client, params, signal, whole)) {
    notes.progress(`page ${pages}, ${read} of ${pagination?.total ?? "?"} engines`);
    yield* inPieces(engines);
    if (pagination?.hasNext !== true && (pagination?.total ?? 0) > read) {
      notes.warn(`the server counts ${pagination?.total} engines, but sent ${read} and says that no more follow`);
    }
  }
}
