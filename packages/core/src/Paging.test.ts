import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { endpoints } from "./gen/endpointSchemas.ts";
import { EngineError, type EngineErrorReason } from "./EngineError.ts";
import { endedEarly, firstPage, largePage, nextPage, smallerPage, tooManyPages, type PageRequest } from "./Paging.ts";
import { listRequest, maxUint32, type ListParams } from "./Parameters.ts";

const response = endpoints.list.response;
const page = (count: number, hasNext: boolean) =>
  create(response, { engines: Array.from({ length: count }, () => ({})), pagination: { hasNext } });

test("pages of any sizes are walked without a gap or a repetition", () => {
  fc.assert(
    fc.property(
      fc.nat(50),
      fc.nat(10),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (total, start, sizes) => {
        const seen: Array<number> = [];
        let request: PageRequest | undefined = firstPage({ offset: start, orderBy: "createdAt", limit: 100 });
        for (let turn = 0; request !== undefined; turn++) {
          const { params }: PageRequest = request;
          expect(params).toMatchObject({ orderBy: "createdAt", limit: 100 });
          const offset = params.offset ?? 0;
          const count = Math.max(0, Math.min(sizes[turn % sizes.length] ?? 1, total - offset));
          for (let index = 0; index < count; index++) seen.push(offset + index);
          request = nextPage(request, page(count, offset + count < total));
        }
        expect(seen).toEqual(Array.from({ length: Math.max(0, total - start) }, (_, index) => start + index));
      },
    ),
  );
});

test("an empty page is the last one, and a failure where hasNext is true", () => {
  const server = { baseUrl: "http://x" };
  expect(nextPage(firstPage({}), page(0, true))).toBeUndefined();
  expect(endedEarly(server, firstPage({}), page(0, false))).toBeUndefined();
  expect(endedEarly(server, firstPage({}), page(1, true))).toBeUndefined();
  const early = endedEarly(server, firstPage({ offset: 3 }), page(0, true));
  expect(early).toMatchObject({ attempts: 1, url: "http://x/engines" });
  expect(early?.message).toContain("early, after 3 engines");
  const messageOf = (total: number) =>
    endedEarly(server, firstPage({ offset: 3 }), create(response, { pagination: { hasNext: true, total } }))?.message;
  expect(messageOf(4)).toContain("early, after 3 of 4 engines");
  expect(messageOf(3)).toContain("early, after 3 engines");
  expect(nextPage(firstPage({}), create(response, { engines: [{}] }))).toBeUndefined();
});

/** The parameters of the page after one of two engines. */
const paramsAfter = (params: ListParams) => nextPage(firstPage(params), page(2, true))?.params;

test("offset in its published place counts, and the short one wins over it", () => {
  expect(paramsAfter({ pagination: { offset: 10, limit: 5 } })).toMatchObject({ offset: 12 });
  expect(paramsAfter({ offset: 1, pagination: { offset: 10 } })).toMatchObject({ offset: 3 });
  expect(listRequest({ limit: 3, pagination: { limit: 5, offset: 7 } })).toMatchObject({
    pagination: { limit: 3, offset: 7 },
  });
});

const refusal = (reason: EngineErrorReason) => new EngineError({ reason, url: "http://x/engines", attempts: 1 });
const invalid = refusal({ _tag: "InvalidArgument" });

test("later pages are large, and halved until the server takes them", () => {
  const second = nextPage(firstPage({}), page(20, true));
  expect(second).toEqual({ params: { offset: 20, limit: largePage }, size: "ours" });
  const limits: Array<number | undefined> = [];
  for (let at = second; at !== undefined; at = smallerPage(at, invalid)) limits.push(at.params.limit);
  expect(limits).toEqual([1_000, 500, 250, 125, 62, 31, 15, undefined]);
  const tooLarge = refusal({ _tag: "TooLarge", limit: "maxBodyBytes", value: 1 });
  const after = (limit: number) => smallerPage({ params: { offset: 20, limit }, size: "ours" }, tooLarge);
  expect(after(17)).toEqual({ params: { offset: 20, limit: 8 }, size: "ours" });
  expect(after(16)).toEqual({ params: { offset: 20 }, size: "server" });
});

test("a size that was found stays, and a limit of the caller's is never changed", () => {
  const halved = smallerPage({ params: { offset: 20, limit: 1_000 }, size: "ours" }, invalid);
  expect(halved && nextPage(halved, page(500, true))?.params).toEqual({ offset: 520, limit: 500 });
  for (const params of [{ limit: 50 }, { pagination: { limit: 50 } }]) {
    const next = nextPage(firstPage(params), page(50, true));
    expect(next?.params).toEqual({ ...params, offset: 50 });
    expect(next && smallerPage(next, invalid)).toBeUndefined();
  }
});

test("a failure for another reason than the page size is not asked for again", () => {
  const request = { params: { limit: 1_000 }, size: "ours" } as const;
  expect(smallerPage(request, refusal({ _tag: "NotFound" }))).toBeUndefined();
  expect(smallerPage(firstPage({}), invalid)).toBeUndefined();
});

test("an empty page that says that more follow is a failure, with what was read before", () => {
  const parts = { baseUrl: "http://x" };
  const early = (params: ListParams, total: number) =>
    endedEarly(parts, firstPage(params), { engines: [], pagination: { total, hasNext: true } } as never)?.message;
  expect(early({}, 7)).toContain(`after 0 of 7 engines: an empty page with hasNext`);
  expect(early({}, 0)).toContain(`after 0 engines: an empty page with hasNext`);
  expect(early({ pagination: { offset: 5 } }, 7)).toContain(`after 5 of 7 engines`);
  expect(early({ offset: 7 }, 7)).toContain(`after 7 engines`);
  const reason = { _tag: "TooLarge", limit: "maxPages", value: 5 };
  expect(tooManyPages(parts, 5)).toMatchObject({ reason, url: "http://x/engines", attempts: 0 });
});

test("no page is larger than a client may read", () => {
  expect(nextPage(firstPage({}), page(20, true), 100)?.params.limit).toBe(100);
});

test("a list is asked for from its beginning, of all engines, unless the parameters say otherwise", () => {
  expect(listRequest()).toEqual({ orderBy: "", isPublic: false, pagination: { limit: 0, offset: 0 } });
  expect(listRequest({ limit: maxUint32, offset: maxUint32 }).pagination).toEqual({
    limit: 4_294_967_295,
    offset: 4_294_967_295,
  });
});

test.for([{ colour: 1 }, { pagination: { page: 1 } }, { orderBy: 1 }, { isPublic: "yes" }])(
  "%j are no parameters of a list",
  (params) => {
    expect(() => listRequest(params as never)).toThrow(TypeError);
  },
);

test.for([-1, 1.5, Number.NaN, Infinity, maxUint32 + 1])("a limit or offset of %d is refused by name", (value) => {
  expect(() => listRequest({ limit: value })).toThrow(/^limit must be a whole number/);
  expect(() => listRequest({ offset: value })).toThrow(/^offset must be a whole number/);
});
