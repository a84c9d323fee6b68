import { expect, test } from "vitest";
import { after, liveClock } from "./Timer.ts";

test("a time that is over already is waited for without a warning of the runtime", async () => {
  const warnings: Array<Error> = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  await new Promise<void>((resolve) => after(liveClock, -14.5, resolve));
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
