// Calls as promises: signals, and stacks of errors.
import { afterEach, expect, test, vi } from "vitest";
import { memoryServer } from "./MemoryServer.ts";
import { createEngineClient, EngineError } from "./promise.ts";

afterEach(() => vi.restoreAllMocks());

test("a call whose signal is aborted already sends nothing", async () => {
  const { fetch, requests } = memoryServer();
  const reason = new Error("enough");
  const call = createEngineClient({ fetch }).get("a", { signal: AbortSignal.abort(reason) });
  await expect(call).rejects.toBe(reason);
  expect(requests).toEqual([]);
});

test("a call whose signal is aborted as it fails ends with the reason of the signal", async () => {
  const controller = new AbortController();
  const client = createEngineClient({
    fetch: memoryServer().fetch,
    onEvent: ({ type }) => {
      if (type === "failure") controller.abort(new Error("enough"));
    },
  });
  await expect(client.get("a", { signal: controller.signal })).rejects.toThrow("enough");
});

test("a signal that a call cannot listen to is said to be none, aborted or not", async () => {
  // As polyfills make it.
  const signal = { aborted: true, addEventListener: () => {} } as never;
  const call = createEngineClient({ fetch: memoryServer().fetch }).get("a", { signal });
  await expect(call).rejects.toMatchObject({ reason: { _tag: "InvalidArgument" } });
});

test.for<[what: string, stack: string, frames: ReadonlyArray<string> | undefined]>([
  [
    "as V8 writes them",
    "Error\n    at get (a.js:1:1)\n    at async b.js:2:2",
    ["    at get (a.js:1:1)", "    at async b.js:2:2"],
  ],
  ["one as V8 writes it", "Error\n    at get (a.js:1:1)", ["    at get (a.js:1:1)"]],
  ["as others write them", "get@a.js:1:1\nb@b.js:2:2", undefined],
])("an error has the stack of the caller, with frames %s", async ([, stack, frames]) => {
  vi.spyOn(Error, "captureStackTrace").mockImplementation((target) => void Object.assign(target, { stack }));
  const error = await createEngineClient({ fetch: memoryServer().fetch })
    .get("a")
    .catch((cause: unknown) => cause);
  vi.restoreAllMocks();
  if (!(error instanceof EngineError)) throw new Error("no EngineError", { cause: error });
  const [head = "", ...own] = (error.stack ?? "").split(/\n(?= {4}at )/);
  expect(head).toBe(`EngineError: ${error.message}`);
  expect(frames === undefined ? own.length > 2 : own).toEqual(frames ?? true);
});
