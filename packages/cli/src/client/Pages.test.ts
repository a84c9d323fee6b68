import { create } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { matches } from "./Pages.ts";

const named = (name: string): ReturnType<typeof create<typeof EngineSchema>> =>
  create(EngineSchema, { name, type: "assembler", status: "active" });

const fits = (glob: string, name: string): boolean => matches({ name: glob })(named(name));

test("a glob matches whole names, with * and ? alone as signs", () => {
  expect(fits("zip*", "zipper")).toBe(true);
  expect(fits("zip", "zipper")).toBe(false);
  expect(fits("*per", "zipper")).toBe(true);
  expect(fits("z?pper", "zipper")).toBe(true);
  expect(fits("z.pper", "zipper")).toBe(false);
  expect(fits("[a-z]*", "zipper")).toBe(false);
  expect(fits("(a+)+$", "aaaa")).toBe(false);
});

test("a name matches itself as a glob, and the star matches every name", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (name) => {
      expect(matches({ name })(named(name))).toBe(true);
      expect(matches({ name: "*" })(named(name))).toBe(true);
    }),
  );
});

test("all filters must hold", () => {
  expect(matches({ type: "assembler", status: "active", name: "z*" })(named("zipper"))).toBe(true);
  expect(matches({ type: "partitioner" })(named("zipper"))).toBe(false);
  expect(matches({ status: "inactive" })(named("zipper"))).toBe(false);
  expect(matches({})(named("zipper"))).toBe(true);
});
