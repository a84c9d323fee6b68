import { defaultRetryPolicy } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { settingsTable } from "./Setting.ts";

test("attempts are as many as those of the client", () => {
  const attempts = settingsTable.find(({ name }) => name === "attempts");
  expect(attempts?.fallback).toBe(String(defaultRetryPolicy.maxAttempts));
});
