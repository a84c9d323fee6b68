import { expect, test } from "vitest";
import { after, liveClock } from "./Timer.ts";
import { Cancellation } from "./Cancellation.ts";

test("a time that is over already is waited for without a warning of the runtime", async () => {
  const warnings: Array<Error> = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  await new Promise<void>((resolve) => after(liveClock, -14.5, resolve));
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("what ends a request has the same end as its signal, whenever that is read", () => {
  const early = new Cancellation();
  const { signal } = early;
  early.abort("enough");
  const late = new Cancellation();
  late.abort("enough");
  const given = new AbortController();
  const outer = new Cancellation(given.signal);
  const heard: Array<unknown> = [];
  const stop = outer.onAbort(() => heard.push("stopped"));
  outer.onAbort(() => heard.push(outer.reason));
  stop();
  given.abort("enough");
  expect(heard).toEqual(["enough"]);
  expect(outer.signal).toBe(given.signal);
  for (const cancel of [early, late, outer])
    expect([cancel.aborted, cancel.reason, cancel.signal.aborted, cancel.signal.reason]).toEqual([
      true,
      "enough",
      true,
      "enough",
    ]);
  expect(signal).toBe(early.signal);
});
