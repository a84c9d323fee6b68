// Shows the status of engines.
import { clientOf } from "../Client.ts";
import { exitCodes } from "../ExitCode.ts";
import type { Invocation } from "../Invocation.ts";
import { shapeOfTags } from "../output/OneOrMany.ts";
import { openOutput } from "../output/OpenOutput.ts";
import { statusRecord, statusShape } from "../output/Records.ts";
import { withTagHints } from "../TagHints.ts";

export const run = async (invocation: Invocation): Promise<number> => {
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
