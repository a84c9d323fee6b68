// Shows engines by their tags.
import { clientOf } from "../Client.ts";
import { exitCodes } from "../ExitCode.ts";
import { isOn, type Invocation } from "../Invocation.ts";
import { shapeOfTags } from "../output/OneOrMany.ts";
import { openOutput } from "../output/OpenOutput.ts";
import { engineRecord, engineShape } from "../output/Records.ts";
import { withTagHints } from "../TagHints.ts";

export const run = async (invocation: Invocation): Promise<number> => {
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
