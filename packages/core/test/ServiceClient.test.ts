// Service clients: google.example.library.v1 and all kinds of rules.
import { create, createRegistry, isMessage, setExtension, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, EmptySchema, MethodOptionsSchema, NullValue, ValueSchema } from "@bufbuild/protobuf/wkt";
import { createServiceClient, EngineError, type EngineEvent, type ServiceFormat } from "@bytenite-engines/core/service";
import { http, HttpRuleSchema } from "@bytenite-engines/proto/service";
import { expect, test } from "vitest";
import { inspect } from "node:util";
import { serviceMethod } from "../src/client/ServiceMethod.ts";
import { schemaDigest, schemaDigestHeader } from "../src/SchemaDigest.ts";
import { LibraryService } from "./gen/google/example/library/v1/library_pb.ts";
import { ChildSchema, Color, EverythingSchema, Kitchen, type Everything } from "./gen/kitchen/v1/kitchen_pb.ts";
import { libraryHandlers } from "./LibraryService.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";
import { startService, type ReceivedRequest, type ServiceServer } from "./ServiceServer.ts";

const failure = async (promise: Promise<unknown>): Promise<EngineError> => {
  const error: unknown = await promise.then(
    () => "no failure",
    (cause: unknown) => cause,
  );
  if (error instanceof EngineError) return error;
  throw error;
};

const fast = { retry: { baseDelayMs: 1, throttledBaseDelayMs: 1 } };

test.for<[ServiceFormat]>([["json"], ["protobuf"], ["verify"]])(
  "a library is used through all its rpcs, in %s",
  async ([format]) => {
    await using server = await startService(LibraryService, libraryHandlers());
    const library = createServiceClient(LibraryService, { baseUrl: server.baseUrl, format });
    const shelf = await library.createShelf({ shelf: { theme: "Poems & more" } });
    expect(shelf).toMatchObject({
      $typeName: "google.example.library.v1.Shelf",
      name: "shelves/1",
      theme: "Poems & more",
    });
    const other = await library.createShelf({ shelf: { theme: "Prose" } });
    const book = await library.createBook({ parent: shelf.name, book: { title: "Élégies", author: "R. M. R." } });
    expect(book.name).toBe("shelves/1/books/3");
    expect(await library.getBook({ name: book.name })).toEqual(book);
    const updated = await library.updateBook({
      book: { name: book.name, read: true, title: "not in the mask" },
      updateMask: { paths: ["read"] },
    });
    expect(updated).toEqual({ ...book, read: true });
    const moved = await library.moveBook({ name: book.name, otherShelfName: other.name });
    expect(moved.name).toBe("shelves/2/books/4");
    expect(await library.listBooks({ parent: other.name, pageSize: 1 })).toMatchObject({
      books: [moved],
      nextPageToken: "",
    });
    expect(await library.mergeShelves({ name: shelf.name, otherShelf: other.name })).toEqual(shelf);
    expect((await library.listShelves()).shelves).toEqual([shelf]);
    const [merged] = (await library.listBooks({ parent: shelf.name })).books;
    expect(isMessage(await library.deleteBook({ name: merged?.name ?? "" }), EmptySchema)).toBe(true);
    await library.deleteShelf({ name: shelf.name });
    const error = await failure(library.getShelf({ name: shelf.name }));
    expect(error).toMatchObject({ reason: { _tag: "NotFound" }, status: 404, serverMessage: "no shelf shelves/1" });
    const lines = server.requests.map(({ method, target }) => `${method} ${target}`);
    expect(lines).toEqual(
      expect.arrayContaining([
        "POST /v1/shelves",
        "POST /v1/shelves/1/books",
        "GET /v1/shelves/1/books/3",
        "PATCH /v1/shelves/1/books/3?updateMask=read",
        "POST /v1/shelves/1/books/3:move",
        "GET /v1/shelves/2/books?pageSize=1",
        "POST /v1/shelves/1:merge",
        "DELETE /v1/shelves/1",
      ]),
    );
  },
);

const echo = (): { handlers: Record<string, (request: never, received: ReceivedRequest) => Everything> } => ({
  handlers: Object.fromEntries(Kitchen.methods.map(({ localName }) => [localName, (request: Everything) => request])),
});

const startKitchen = (options: Parameters<typeof startService>[2] = {}): Promise<ServiceServer> =>
  startService(Kitchen, { ...echo().handlers, remove: () => create(EmptySchema) }, options);

const full = (): MessageInitShape<typeof EverythingSchema> => ({
  text: "labels/x ✓",
  data: new Uint8Array([0, 251, 255]),
  flag: true,
  int64: 9007199254740993n,
  uint64: 18446744073709551615n,
  int64Text: "-9223372036854775808",
  float: Math.fround(0.1),
  double: Number.NaN,
  color: Color.GREEN,
  maybeText: "",
  maybeColor: Color.COLOR_UNSPECIFIED,
  texts: ["a", ""],
  doubles: [Number.POSITIVE_INFINITY, -0.5],
  child: { label: "c", child: { numbers: [1, -1] } },
  choice: { case: "choiceWrapped", value: { value: "" } },
  time: { seconds: -1n, nanos: 5 },
  duration: { seconds: 3n, nanos: 500_000_000 },
  mask: { paths: ["a_b"] },
  struct: { list: [1, null, { deep: true }] },
  value: create(ValueSchema, { kind: { case: "nullValue", value: NullValue.NULL_VALUE } }),
  wrappedFlag: false,
  labels: { "": "empty", b: "c" },
  switches: { "-5": true },
  colorsByName: { r: Color.RED },
  children: [{ label: "1" }, {}],
  childrenByName: { k: { label: "2" } },
  any: anyPack(ChildSchema, create(ChildSchema, { label: "in any" })),
});

test.for<[ServiceFormat, boolean]>([
  ["json", false],
  ["json", true],
  ["protobuf", false],
])("a message with every kind of field goes there and back in %s (proto names: %s)", async ([format, protoNames]) => {
  await using server = await startKitchen({ protoNames, registry: createRegistry(EverythingSchema, ChildSchema) });
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl, format });
  expect(await kitchen.create(full())).toEqual(create(EverythingSchema, full()));
  const answer = await kitchen.withResponse.create(full());
  expect(answer).toMatchObject({ status: 200, attempts: 1, format, data: create(EverythingSchema, full()) });
  expect(answer.unknownFields.size).toBe(0);
});

test("parts of messages are bodies, and answers are parts of messages", async () => {
  await using server = await startKitchen();
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl });
  expect((await kitchen.tag({ text: "x", texts: ["a", "b"] })).texts).toEqual(["a", "b"]);
  expect(server.requests.at(-1)?.body.toString()).toBe('["a","b"]');
  expect((await kitchen.nest({ text: "x", child: { label: "l" } })).child?.label).toBe("l");
  expect((await kitchen.measure({ double: 0.5, int64: 5n })).int64).toBe(5n);
  expect((await kitchen.change({ child: { label: "l", numbers: [7] }, flag: true })).child).toMatchObject({
    label: "l",
    numbers: [7],
  });
  expect(server.requests.at(-1)).toMatchObject({ method: "PATCH", target: "/v1/children/l?flag=true" });
  expect(server.requests.at(-1)?.body.toString()).toBe('{"numbers":[7]}');
  const inProtobuf = createServiceClient(Kitchen, { baseUrl: server.baseUrl, format: "protobuf" });
  expect((await inProtobuf.nest({ text: "x", child: { label: "l" } })).child?.label).toBe("l");
  expect((await inProtobuf.change({ child: { label: "l", numbers: [7] } })).child).toMatchObject({
    label: "l",
    numbers: [7],
  });
  const error = await failure(inProtobuf.tag({ text: "x", texts: ["a"] }));
  expect(error).toMatchObject({ reason: { _tag: "InvalidArgument" }, attempts: 0 });
  expect(error.message).toContain('protobuf bodies are messages only, so ask with format "json"');
  expect(error.url).toBe(`${server.baseUrl}/v1/tags/{text}`);
});

test.for([5, []])("options that are no object, such as %j, are refused", (options) => {
  expect(() => createServiceClient(Kitchen, options as never)).toThrow("options must be an object, not a");
});

test("the first binding whose path fields are set is used", async () => {
  await using server = await startKitchen();
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl });
  await kitchen.locate({ text: "rooms/1", child: { label: "l" } });
  await kitchen.locate({ text: "rooms/1" });
  await kitchen.locate({ child: { label: "l" } });
  await kitchen.locate({});
  expect(server.requests.map(({ method, target }) => `${method} ${target}`)).toEqual([
    "GET /v1/rooms/1/places/l",
    "GET /v1/rooms/1",
    "POST /v1/children/l:locate",
    "GET /v1/places",
  ]);
});

test("a custom method is sent", async () => {
  await using server = await startKitchen();
  expect((await createServiceClient(Kitchen, { baseUrl: server.baseUrl }).options({ text: "x" })).text).toBe("x");
  expect(server.requests[0]).toMatchObject({ method: "OPTIONS", target: "/v1/options/x" });
});

test.for(["HEAD", "*", "connect", "A B"])("a custom method %s is a TypeError", (kind) => {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, create(HttpRuleSchema, { pattern: { case: "custom", value: { kind, path: "/v1/x" } } }));
  const method = { ...Kitchen.method.options, proto: { ...Kitchen.method.options.proto, options } };
  expect(() => serviceMethod(method)).toThrow(`the custom method ${JSON.stringify(kind)} of rpc kitchen.v1`);
});

test("a GET with a body is a TypeError", () => {
  const options = create(MethodOptionsSchema);
  const rule = create(HttpRuleSchema, { pattern: { case: "get", value: "/v1/x" }, body: "*" });
  setExtension(options, http, rule);
  const method = { ...Kitchen.method.find, proto: { ...Kitchen.method.find.proto, options } };
  expect(() => serviceMethod(method)).toThrow(new TypeError("kitchen.v1.Kitchen.Find: a GET has no body"));
});

test("rpcs named Then and WithResponse get a $: a client is no promise, and keeps withResponse", async () => {
  await using server = await startKitchen();
  const named = { find: "then", create: "withResponse" } as Readonly<Record<string, string>>;
  const methods = Kitchen.methods.map((rpc) => ({ ...rpc, localName: named[rpc.localName] ?? rpc.localName }));
  const client = await Promise.resolve(createServiceClient({ ...Kitchen, methods }, { baseUrl: server.baseUrl }));
  expect(server.requests).toHaveLength(0);
  const calls = client as unknown as Record<"then$" | "withResponse$", (request: object) => Promise<Everything>>;
  expect((await calls.then$({ text: "a" })).text).toBe("a");
  expect((await calls.withResponse$({ text: "b" })).text).toBe("b");
  expect(client.withResponse).toHaveProperty("then$");
});

test("a missing path field, a value that does not fit and one that no type holds are errors before anything is sent", async () => {
  await using server = await startKitchen();
  const library = createServiceClient(LibraryService, { baseUrl: server.baseUrl });
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl });
  const errors = await Promise.all([
    failure(library.getBook({})),
    failure(library.getBook()),
    failure(library.updateBook({ book: {} })),
    failure(library.getBook({ name: "shelves/1" })),
    failure(library.getBook({ name: "shelves/1/books/.." })),
    failure(kitchen.find({ children: [{}] })),
    failure(kitchen.create({ int32: 1.5 }, { format: "protobuf" })),
    failure(kitchen.create({ any: { typeUrl: "type.googleapis.com/no.Such", value: new Uint8Array(1) } })),
  ]);
  expect(errors.map(({ reason }) => reason._tag)).toEqual(errors.map(() => "InvalidArgument"));
  expect(errors.map(({ attempts }) => attempts)).toEqual(errors.map(() => 0));
  expect(errors[0]?.message).toContain(
    "google.example.library.v1.LibraryService.GetBook: the path field name is not set",
  );
  expect(errors[2]?.message).toContain("the path field book.name is not set");
  expect(errors[3]?.message).toContain('the path field name must look like "shelves/*/books/*", not "shelves/1"');
  expect(errors[5]?.message).toContain("children is a list of messages: no query can carry it");
  expect(server.requests).toHaveLength(0);
});

test("streaming rpcs and rpcs without a rule are a TypeError that names them", async () => {
  const kitchen = createServiceClient(Kitchen, { baseUrl: "http://127.0.0.1:1" }) as unknown as Record<
    string,
    () => Promise<unknown>
  >;
  await expect(kitchen["watch"]?.()).rejects.toThrow(
    new TypeError(
      "kitchen.v1.Kitchen.Watch is a streaming rpc (server_streaming): only unary ones can be called over HTTP rules",
    ),
  );
  await expect(kitchen["unbound"]?.()).rejects.toThrow(
    new TypeError("kitchen.v1.Kitchen.Unbound has no google.api.http annotation"),
  );
});

const make = (options: object) => () => createServiceClient(Kitchen, { baseUrl: "http://127.0.0.1", ...options });

test("options that cannot be are refused by name", () => {
  expect(make({ baseUrl: undefined })).toThrow("baseUrl must be given");
  expect(make({ format: "auto" })).toThrow('format must be "json", "protobuf" or "verify", not "auto"');
  expect(make({ deadlineMs: -1 })).toThrow("deadlineMs");
  expect(make({ idempotent: "no" })).toThrow("idempotent must be true or false, not a string");
  expect(make({ idempotent: () => false })).toThrow("idempotent must be true or false, not a function");
  expect(make({ registry: 5 })).toThrow("registry must be what createRegistry(...) gives, not a number");
  expect(make({ idempotnt: true })).toThrow('there is no option "idempotnt"; did you mean "idempotent"?');
  expect(make({ regisrty: 5 })).toThrow('there is no option "regisrty"; did you mean "registry"?');
});

test("an option of a call that is none is refused before anything is sent, and a request that is none", async () => {
  await using server = await startKitchen();
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl });
  const errors = await Promise.all([
    failure(kitchen.create({}, { idempotent: "no" as never })),
    failure(kitchen.create({}, { format: "auto" as never })),
    failure(kitchen.get({ text: "x", int32: 2_147_483_648 })),
    failure(kitchen.replace({ child: { label: "labels/x" }, int64: 2n ** 63n })),
    failure(kitchen.create({ int32: 1.5 })),
    failure(kitchen.create({}, { idempotnt: true } as never)),
  ]);
  expect(errors.map(({ reason }) => reason._tag)).toEqual(errors.map(() => "InvalidArgument"));
  expect(errors[0]?.message).toContain("idempotent must be true or false, not a string");
  expect(errors[5]?.message).toContain('there is no option "idempotnt"; did you mean "idempotent"?');
  expect(errors[2]?.message).toContain("kitchen.v1.Kitchen.Get: int32 must be a whole number from");
  expect(server.requests).toHaveLength(0);
});

/** Requests that one call sends while the server always fails like this. */
const requestsOf = async (
  call: (client: ReturnType<typeof createServiceClient<typeof Kitchen>>) => Promise<unknown>,
  fail: NonNullable<NonNullable<Parameters<typeof startService>[2]>["intercept"]>,
  options: object = {},
): Promise<number> => {
  await using server = await startKitchen({ intercept: fail });
  const client = createServiceClient(Kitchen, { baseUrl: server.baseUrl, ...fast, ...options });
  await failure(call(client));
  return server.requests.length;
};

const unavailable = () => ({ status: 503, body: '{"code":14,"message":"down"}' });
const busy = () => ({ status: 503, headers: { "retry-after": "0" }, body: '{"code":14,"message":"busy"}' });
const throttled = () => ({ status: 429, headers: { "retry-after": "0" }, body: '{"code":8,"message":"slow down"}' });
const broken = () => "reset" as const;

test("GET, PUT, DELETE and idempotent rpcs are sent again; POST and PATCH only where they were certainly not carried out", async () => {
  const calls = {
    get: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) => kitchen.find({}),
    put: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) =>
      kitchen.replace({ int64: 1n, child: { label: "labels/x" } }),
    delete: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) => kitchen.remove({ text: "files/x" }),
    safe: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) => kitchen.safe({}),
    idempotent: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) => kitchen.idempotent({}),
    post: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) => kitchen.create({}),
    patch: (kitchen: ReturnType<typeof createServiceClient<typeof Kitchen>>) =>
      kitchen.change({ child: { label: "x" } }),
  };
  const counts: Record<string, ReadonlyArray<number>> = {};
  for (const [name, call] of Object.entries(calls)) {
    counts[name] = [
      await requestsOf(call, unavailable),
      await requestsOf(call, broken),
      await requestsOf(call, busy),
      await requestsOf(call, throttled),
      await requestsOf(call, unavailable, { idempotent: true }),
      await requestsOf(call, unavailable, { idempotent: false }),
    ];
  }
  const repeated = [4, 4, 4, 4, 4, 1];
  const guarded = [1, 1, 4, 4, 4, 1];
  expect(counts).toEqual({
    get: repeated,
    put: repeated,
    delete: repeated,
    safe: repeated,
    idempotent: repeated,
    post: guarded,
    patch: guarded,
  });
});

test("a POST that could not connect is sent again, and one that timed out is not", async () => {
  const events: Array<EngineEvent> = [];
  const onEvent = (event: EngineEvent): void => void events.push(event);
  const refused = createServiceClient(Kitchen, { baseUrl: "http://127.0.0.1:1", ...fast, onEvent });
  const error = await failure(refused.create({}));
  expect(error).toMatchObject({ reason: { _tag: "Unreachable" }, method: "POST" });
  expect(error.attempts).toBeGreaterThan(0);
  await using server = await startKitchen({ intercept: () => ({ status: 200, body: "" }) });
  const never = createServiceClient(Kitchen, {
    baseUrl: server.baseUrl,
    ...fast,
    attemptTimeoutMs: 20,
    fetch: (_url, init) =>
      new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted")))),
  });
  expect(await failure(never.create({}))).toMatchObject({
    reason: { _tag: "TimedOut", scope: "attempt" },
    attempts: 1,
    method: "POST",
  });
  expect(await failure(never.find({}))).toMatchObject({ reason: { _tag: "TimedOut" }, attempts: 4, method: "GET" });
});

test("verify uses protobuf where the server names our schema, and pays one request where it does not", async () => {
  const digest = await schemaDigest(EverythingSchema);
  await using named = await startKitchen({ headers: { [schemaDigestHeader]: digest } });
  const believing = createServiceClient(Kitchen, { baseUrl: named.baseUrl, format: "verify" });
  for (let call = 0; call < 5; call++)
    expect(await believing.withResponse.find({ int32: call })).toMatchObject({
      format: "protobuf",
      data: { int32: call },
    });
  expect(named.requests).toHaveLength(5);
  // What may change something is asked in JSON: it could not be asked twice.
  expect(await believing.withResponse.create({})).toMatchObject({ format: "json" });

  await using foreign = await startKitchen();
  const doubting = createServiceClient(Kitchen, { baseUrl: foreign.baseUrl, format: "verify" });
  for (let call = 0; call < 5; call++)
    expect(await doubting.withResponse.find({ int32: call })).toMatchObject({ format: "json", data: { int32: call } });
  expect(foreign.requests).toHaveLength(6);
});

test("what the schema does not know is counted, and does no harm", async () => {
  const body = JSON.stringify({
    text: "x",
    new_field: 1,
    child: { label: "l", other: {} },
    children: [{ more: 2 }],
    color: "PURPLE",
    labels: { "not.a.field": "v" },
  });
  await using server = await startKitchen({ intercept: () => ({ status: 200, body }) });
  const events: Array<EngineEvent> = [];
  const kitchen = createServiceClient(Kitchen, {
    baseUrl: server.baseUrl,
    onEvent: (event) => void events.push(event),
  });
  const { data, unknownFields } = await kitchen.withResponse.find({});
  expect(data).toMatchObject({
    text: "x",
    child: { label: "l" },
    color: Color.COLOR_UNSPECIFIED,
    labels: { "not.a.field": "v" },
  });
  expect([...unknownFields.keys()]).toEqual(["new_field", "child.other", "children[0].more"]);
  expect(events.map(({ type }) => type)).toEqual(["response", "unknown-fields"]);
  expect(events[0]).toMatchObject({ endpoint: "kitchen.v1.Kitchen.Find", template: "/v1/everything" });
});

test.for<[body: string, headers: Record<string, string>]>([
  ["", {}],
  ["[]", {}],
  ["<html>", { "content-type": "text/html" }],
  ['{"int64":1.5}', {}],
  ["\u0001", { "content-type": "application/x-protobuf" }],
])("a malformed body is an error of the kind Undecodable, case %#", async ([body, headers]) => {
  await using server = await startKitchen({ intercept: () => ({ status: 200, headers, body }) });
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl, ...fast });
  expect(await failure(kitchen.create({}))).toMatchObject({
    reason: { _tag: "Undecodable" },
    method: "POST",
    attempts: 1,
  });
});

test.for([
  `{"child":${'{"child":'.repeat(100)}{}${"}".repeat(100)}}`,
  `{"unknown":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
])("a body that nests too deeply is TooLarge, case %#", async (body) => {
  await using server = await startKitchen({ intercept: () => ({ status: 200, body }) });
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl, ...fast });
  expect(await failure(kitchen.find({}))).toMatchObject({
    reason: { _tag: "TooLarge", limit: "maxJsonDepth" },
    attempts: 1,
  });
});

test("an answer without content is the empty message", async () => {
  await using server = await startKitchen({ intercept: () => ({ status: 204 }) });
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl });
  expect(await kitchen.find({})).toEqual(create(EverythingSchema));
  expect(isMessage(await kitchen.remove({ text: "files/x" }), EmptySchema)).toBe(true);
});

test("a call has a token, headers, a signal and a base URL of its own", async () => {
  await using server = await startKitchen();
  await using other = await startKitchen();
  const kitchen = createServiceClient(Kitchen, {
    baseUrl: `${server.baseUrl}/`,
    token: "secret",
    headers: { "x-a": "1" },
  });
  await kitchen.find({}, { headers: { "x-b": "2" } });
  expect(server.requests[0]?.headers).toMatchObject({
    authorization: "secret",
    "x-a": "1",
    "x-b": "2",
    accept: "application/json",
  });
  await kitchen.find({}, { baseUrl: other.baseUrl });
  expect(other.requests[0]?.headers).not.toHaveProperty("authorization");
  await expect(kitchen.find({}, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  expect(server.requests).toHaveLength(1);
});

// @ts-expect-error Streaming rpcs are not methods.
const streaming = () => createServiceClient(Kitchen, { baseUrl: "http://127.0.0.1:1" }).watch({});

test("the types say what each rpc takes and answers", () => {
  const library = createServiceClient(LibraryService, { baseUrl: "http://127.0.0.1:1" });
  // @ts-expect-error A field that the request does not have.
  const wrong = () => library.getBook({ title: "x" });
  const right = async (): Promise<string> => (await library.getBook({ name: "x" })).author;
  expect([wrong, streaming, right]).toHaveLength(3);
});

test("large maps to messages are read in protobuf, whatever their keys", async () => {
  const names = Array.from({ length: 3_000 }, (_, at) => `${"\u007F".repeat(100)}${at}`);
  const answer = create(EverythingSchema, {
    childrenByName: Object.fromEntries(names.map((name) => [name, { label: name }])),
    struct: Object.fromEntries(names.map((name) => [name, [name]])),
  });
  await using server = await startService(Kitchen, { find: () => answer });
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl, format: "protobuf" });
  expect(await kitchen.find({})).toEqual(answer);
});

test("what a service sends in the place of a number is in no error", async () => {
  await using server = await startServer((_request, response) =>
    json(response, 200, { int64: "a secret of the server" }),
  );
  const kitchen = createServiceClient(Kitchen, { baseUrl: server.baseUrl });
  const error = await failure(kitchen.find({}));
  expect(error.message).toContain("cannot decode field kitchen.v1.Everything.int64 from JSON");
  expect(inspect(error, { depth: 20 })).not.toContain("a secret");
});
