import { create } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { ListParams } from "@bytenite-engines/core/promise";
import { inPieces, keepHeapSmall, matches, pagesOf, type PageOptions } from "./Pages.ts";

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

const sizes = (count: number): ReadonlyArray<number> =>
  [...inPieces(Array.from({ length: count }))].map((piece) => piece.length);

test("a page comes in pieces of a hundred", () => {
  expect([0, 1, 100, 101, 250].map(sizes)).toEqual([[], [1], [100], [100, 1], [100, 100, 50]]);
});

test("a command that reads page after page keeps its heap small", () => {
  const set = vi.spyOn(process.getBuiltinModule("node:v8"), "setFlagsFromString").mockImplementation(() => {});
  keepHeapSmall();
  const flags = ["--semi-space-growth-factor=1", "--no-maglev", "--heap-growing-percent=10"];
  expect(set.mock.calls).toEqual(flags.map((flag) => [flag]));
  set.mockRestore();
});

const refusal = Object.assign(new Error("refused"), { _tag: "EngineError", reason: { _tag: "InvalidArgument" } });

const failure = Object.assign(new Error("failed"), { _tag: "EngineError", reason: { _tag: "Unavailable" } });

/** A server of so many engines that sends two at once and refuses pages of more than 5, and what it is asked. */
const serverOf = (count: number, total = count) => {
  const asked: Array<readonly [offset: number | undefined, limit: number | undefined]> = [];
  const signals: Array<AbortSignal | undefined> = [];
  const list = async (params: ListParams = {}, options: { readonly signal?: AbortSignal } = {}) => {
    const { offset = 0, limit = 2 } = params;
    asked.push([params.offset, params.limit]);
    signals.push(options.signal);
    if (limit > 5) throw refusal;
    if (offset === 99) throw failure;
    const engines = Array.from({ length: Math.max(0, Math.min(2, limit, count - offset)) }, (_, index) =>
      named(`x${offset + index}`),
    );
    const hasNext = offset + engines.length < total;
    return { engines, pagination: { total, offset, hasPrevious: offset > 0, hasNext } };
  };
  const read = async (params: ListParams, options: PageOptions = {}, most = Infinity) => {
    const pages: Array<readonly [pages: number, read: number]> = [];
    const client = { list } as unknown as Parameters<typeof pagesOf>[0];
    for await (const page of pagesOf(client, params, new AbortController().signal, options)) {
      pages.push([page.pages, page.read]);
      // Who uses the pages is slower than the server.
      await new Promise(setImmediate);
      if (pages.length === most) break;
    }
    return pages;
  };
  return { asked, signals, read };
};

test("pages follow each other by the engines that came, from the offset on", async () => {
  const server = serverOf(6);
  const pages = [1, 2, 3].map((page) => [page, Math.min(5, 2 * page)]);
  expect(await server.read({ offset: 1 })).toEqual(pages);
  expect(server.asked.splice(0)).toEqual([1, 3, 5].map((offset) => [offset, undefined]));
  expect(await server.read({}, { size: 1 }, 2)).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect(server.asked).toEqual([0, 1].map((offset) => [offset, 1]));
});

test("a page size of bne's own is given up when it is refused, another is not", async () => {
  const server = serverOf(3);
  expect(await server.read({}, { size: 6, isSizeOurs: true })).toEqual([
    [1, 2],
    [2, 3],
  ]);
  expect(server.asked.splice(0)).toEqual([
    [0, 6],
    [0, undefined],
    [2, undefined],
  ]);
  await expect(server.read({}, { size: 6 })).rejects.toBe(refusal);
  expect(server.asked.splice(0)).toEqual([[0, 6]]);
  // Another failure than a refusal of the size.
  await expect(server.read({ offset: 99 }, { size: 1, isSizeOurs: true })).rejects.toBe(failure);
  expect(server.asked).toEqual([[99, 1]]);
});

test("the next page is asked for ahead while fewer engines were read, and given up when nobody wants it", async () => {
  for (const [ahead, requests] of [
    [undefined, 1],
    [2, 1],
    [3, 2],
    [Infinity, 2],
  ] as const) {
    const server = serverOf(9);
    await server.read({}, ahead === undefined ? {} : { ahead }, 1);
    expect([ahead, server.asked.length]).toEqual([ahead, requests]);
    // Without pages ahead the signal is the caller's.
    expect(server.signals.at(-1)?.aborted).toBe(ahead !== undefined);
  }
  await expect(serverOf(200).read({ offset: 97 }, { ahead: Infinity })).rejects.toBe(failure);
  const server = serverOf(2);
  expect(await server.read({}, { ahead: Infinity })).toEqual([[1, 2]]);
  expect(server.asked).toHaveLength(1);
});

const uncounted = {
  list: async () => ({ engines: [], pagination: { total: 0, hasNext: true } }),
} as unknown as Parameters<typeof pagesOf>[0];

test("a list that ends early says what is missing", async () => {
  for (const [offset, count, total, said] of [
    [0, 0, 0.5, "after 0 of 0.5 engines"],
    [1, 2, 9, "after 2 of 9 engines"],
    [4, 4, 4.5, "after 4 of 4.5 engines"],
  ] as const) {
    await expect(serverOf(count, total).read({ offset })).rejects.toThrow(`The server ended the list early, ${said}`);
  }
  const pages = pagesOf(uncounted, {}, new AbortController().signal);
  await pages.next();
  await expect(pages.next()).rejects.toThrow("early, after 0 engines: an empty page");
});

test("a list has 100,000 pages at most", async () => {
  expect(await serverOf(200_000).read({})).toHaveLength(100_000);
  await expect(serverOf(200_001).read({})).rejects.toThrow(
    "The list is too long, after 200000 of 200001 engines: 100000 pages, though it says that more follow",
  );
});
