// Shows the status of an engine.
import { clientOf } from "../Client.ts";
import { exitCodes } from "../ExitCode.ts";
import { positional, type Invocation } from "../Invocation.ts";
import { openOutput } from "../output/OpenOutput.ts";
import { statusRecord, statusShape } from "../output/Records.ts";
import { withTagHints } from "../TagHints.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { signal, notes } = invocation;
  const tag = positional(invocation, 0);
  const writer = await openOutput(invocation, statusShape);
  const client = await clientOf(invocation);
  notes.progress(`asking for the status of ${tag}`);
  const message = await withTagHints(client, tag, signal, () => client.status(tag, { signal }));
  notes.progress(undefined);
  await writer.write([statusRecord(message)]);
  await writer.end();
  return exitCodes.ok;
};
