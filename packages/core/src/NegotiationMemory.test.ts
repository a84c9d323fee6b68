import { expect, test } from "vitest";
import { jsonOnlyTtlMs, NegotiationMemory } from "./NegotiationMemory.ts";

const origin = "http://a.example";

test("protobuf is asked for until an origin answers in JSON, and again once that is forgotten", () => {
  const memory = new NegotiationMemory();
  expect(memory.preferred(origin, 0)).toBe("protobuf");
  expect(memory.note(origin, "json", 1_000)).toBe(true);
  expect(memory.preferred(origin, 1_000 + jsonOnlyTtlMs - 1)).toBe("json");
  expect(memory.preferred(origin, 1_000 + jsonOnlyTtlMs)).toBe("protobuf");
});

test("JSON is news once while it is remembered, and again after", () => {
  const memory = new NegotiationMemory();
  expect([0, 1].map((nowMs) => memory.note(origin, "json", nowMs))).toEqual([true, false]);
  expect(memory.note(origin, "json", 2 * jsonOnlyTtlMs)).toBe(true);
});

test("an answer in protobuf ends the memory at once, and is news only then", () => {
  const memory = new NegotiationMemory();
  expect(memory.note(origin, "protobuf", 0)).toBe(false);
  memory.note(origin, "json", 0);
  expect(memory.note(origin, "protobuf", 1)).toBe(true);
  expect(memory.preferred(origin, 1)).toBe("protobuf");
});

test("one origin says nothing about another", () => {
  const memory = new NegotiationMemory();
  memory.note(origin, "json", 0);
  expect(memory.preferred("http://b.example", 0)).toBe("protobuf");
});
