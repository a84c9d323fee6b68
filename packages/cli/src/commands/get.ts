// Shows engines by their tags.
import { clientOf } from "../Client.ts";
import { exitCodes } from "../ExitCode.ts";
import { isOn, type Invocation } from "../Invocation.ts";
import { formOf } from "../output/Output.ts";
import { openOutput, outputOptions } from "../output/OpenOutput.ts";
import { engineRecord, engineShape } from "../output/Records.ts";
import { withTagHints } from "../TagHints.ts";
import { UsageError } from "../UsageError.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { signal, notes } = invocation;
  const tags = invocation.arguments.positionals;
  const shape = engineShape(tags.length === 1 ? "one" : "array");
  if (tags.length > 1 && formOf(outputOptions(invocation), shape) === "protobuf") {
    throw new UsageError(
      "--output protobuf is for one engine",
      "Ask for the engines one by one, or use --output ndjson.",
    );
  }
  const writer = await openOutput(invocation, shape);
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
