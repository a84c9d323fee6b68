// Lists profiles.
import { textAt } from "../../output/Column.ts";
import { exitCodes } from "../../ExitCode.ts";
import type { Invocation } from "../../Invocation.ts";
import { openOutput } from "../../output/OpenOutput.ts";
import type { Shape } from "../../output/Shape.ts";
import { profileNames } from "../../settings/ProfileNames.ts";

const fields = ["name", "current", "baseUrl", "kind", "credentials"];

const shape: Shape = {
  columns: fields.map((path) => ({ path, kind: "text" })),
  known: fields,
  nameOf: (record) => textAt(record, "name"),
  document: "array",
};

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings } = invocation;
  const writer = await openOutput(invocation, shape);
  const records = profileNames(settings).map((name) => ({
    json: {
      name,
      current: name === settings.profileName,
      baseUrl: textOrNull(settings.profiles[name]?.["baseUrl"]),
      kind: textOrNull(settings.profiles[name]?.["kind"]),
      credentials: textOrNull(settings.profiles[name]?.["credentials"]),
    },
  }));
  await writer.write(records);
  await writer.end();
  return exitCodes.ok;
};
