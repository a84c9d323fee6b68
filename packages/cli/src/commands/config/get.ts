// Prints settings as they hold now.
import { textAt } from "../../output/Column.ts";
import { exitCodes } from "../../ExitCode.ts";
import { isOn, positional, type Invocation } from "../../Invocation.ts";
import { openOutput, outputOptions } from "../../output/OpenOutput.ts";
import type { Shape } from "../../output/Shape.ts";
import { settingOf } from "../../settings/Setting.ts";
import { allSettings } from "../../settings/Settings.ts";
import { safeText } from "../../text/SafeText.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, stdout } = invocation;
  const name = positional(invocation, 0);
  const showOrigin = isOn(invocation, "show-origin");
  const options = outputOptions(invocation);
  const plain = options.form === "table" && options.jq === undefined && options.columns === undefined;
  if (name !== "" && !showOrigin && plain) {
    const { text } = settings.of(settingOf(name).name);
    await stdout.write(text === undefined ? "" : `${safeText(text)}\n`);
    return exitCodes.ok;
  }
  const fields = ["name", "value", ...(showOrigin ? ["origin"] : [])];
  const shape: Shape = {
    columns: fields.map((path) => ({ path, kind: "text" })),
    known: fields,
    nameOf: (record) => textAt(record, "name"),
    document: name === "" ? "array" : "one",
  };
  const writer = await openOutput(invocation, shape);
  const wanted = allSettings(settings).filter(([setting]) => name === "" || setting === settingOf(name));
  await writer.write(
    wanted.map(([setting, { text, origin }]) => ({
      json: { name: setting.name, value: text ?? null, ...(showOrigin ? { origin } : {}) },
    })),
  );
  await writer.end();
  return exitCodes.ok;
};
