import { array, assert, property, string } from "fast-check";
import { expect, test } from "vitest";
import { bytesIn } from "./PreparingThread.ts";
import { prepareDocuments } from "./Preparing.ts";

const documentsOf = (descriptions: ReadonlyArray<string>) =>
  descriptions.map((description, index) => ({
    text: JSON.stringify({
      id: "a",
      name: `engine-${index}`,
      version: index % 5 === 3 ? "x" : "0.1",
      userName: "carol",
      description,
    }),
    source: `line ${index}`,
  }));

test("whatever was prepared is the same on the other side, with one buffer for all of it, which changed hands", () => {
  const owners = new Map([["carol", { number: 1, id: "c", name: "carol" }]]);
  assert(
    property(array(string({ unit: "grapheme" })), (descriptions) => {
      const prepare = () => prepareDocuments(documentsOf(descriptions), {}, owners, 0);
      const prepared = prepare();
      const buffers = bytesIn(prepared);
      expect(buffers).toHaveLength(Math.min(1, prepared.ready.length));
      expect(structuredClone(prepared, { transfer: buffers })).toEqual(prepare());
      expect(buffers.every(({ detached }) => detached)).toBe(true);
    }),
  );
});
