import { clone, create, isFieldSet, toBinary, toJson, type DescField } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { ListValueSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages, texts } from "../../test/ArbitraryMessages.ts";
import { EverythingSchema, Kitchen, type Everything } from "../../test/gen/kitchen/v1/kitchen_pb.ts";
import { decodeRequest } from "../../test/ServiceServer.ts";
import { decodeQuery } from "../QueryParameters.ts";
import { withoutPath } from "../client/MessageCodec.ts";
import { annotatedRules } from "../client/ServiceMethod.ts";
import { parseWellKnown } from "../../test/Transcoding.ts";
import { wellKnownText } from "./FieldText.ts";
import { resolveBinding, transcode } from "./HttpRule.ts";
import { PathTemplateError } from "./PathTemplate.ts";

const bindingsOf = (name: keyof typeof Kitchen.method) => {
  const method = Kitchen.method[name];
  return annotatedRules(method).map((row) => resolveBinding(row, method.input, method.output));
};

/** What the request looks like: method, target, and the JSON of its body. */
const shown = (name: keyof typeof Kitchen.method, init: Parameters<typeof create<typeof EverythingSchema>>[1]) => {
  const message = create(EverythingSchema, init);
  const { binding, path, query, body } = transcode(bindingsOf(name), EverythingSchema, message, init, wellKnownText);
  const json =
    body === undefined
      ? undefined
      : toJson(EverythingSchema, withoutPath(EverythingSchema, message, body.pathFields) as Everything);
  const part = body?.field === undefined ? json : (json as Record<string, unknown>)[body.field.jsonName];
  return [`${binding.method} ${path}${query === "" ? "" : `?${query}`}`, ...(part === undefined ? [] : [part])];
};

test.for<
  [rpc: keyof typeof Kitchen.method, init: Parameters<typeof create<typeof EverythingSchema>>[1], expected: unknown[]]
>([
  ["get", { text: "a b", int32: 7 }, ["GET /v1/everything/a%20b?int32=7"]],
  ["find", { text: "a b" }, ["GET /v1/everything?text=a+b"]],
  ["find", { text: "0", int64Text: "0" }, ["GET /v1/everything?text=0"]],
  ["find", { double: Number.NaN, float: -0 }, ["GET /v1/everything?double=NaN"]],
  [
    "find",
    { texts: ["a", "b"], colors: [1, 2, 77 as never] },
    ["GET /v1/everything?texts=a&texts=b&colors=RED&colors=GREEN&colors=77"],
  ],
  ["find", { child: { label: "x", child: { label: "y" } } }, ["GET /v1/everything?child.label=x&child.child.label=y"]],
  [
    "find",
    { int64: 9007199254740993n, uint64: 18446744073709551615n, int64Text: "-5" },
    ["GET /v1/everything?int64=9007199254740993&uint64=18446744073709551615&int64Text=-5"],
  ],
  [
    "find",
    { float: Math.fround(0.1), double: 1e300, doubles: [Number.NaN, -Infinity] },
    ["GET /v1/everything?float=0.1&double=1e%2B300&doubles=NaN&doubles=-Infinity"],
  ],
  [
    "find",
    { data: new Uint8Array([251, 255]), flag: true, color: 2 },
    ["GET /v1/everything?data=%2B%2F8%3D&flag=true&color=GREEN"],
  ],
  [
    "find",
    { maybeText: "", maybeNumber: 0, maybeFlag: false, maybeColor: 0 },
    ["GET /v1/everything?maybeText=&maybeNumber=0&maybeFlag=false&maybeColor=COLOR_UNSPECIFIED"],
  ],
  [
    "find",
    { wrappedText: "", wrappedFlag: false, wrappedInt64: 0n, wrappedFloat: Math.fround(0.1) },
    ["GET /v1/everything?wrappedText=&wrappedFlag=false&wrappedInt64=0&wrappedFloat=0.1"],
  ],
  [
    "find",
    { time: { seconds: 1n, nanos: 500_000_000 }, duration: { seconds: -1n, nanos: -500_000_000 } },
    ["GET /v1/everything?time=1970-01-01T00%3A00%3A01.500Z&duration=-1.500s"],
  ],
  [
    "find",
    { mask: { paths: ["a_b", "child.label"] }, struct: { a: [1, null] } },
    ["GET /v1/everything?mask=a_b%2Cchild.label&struct=%7B%22a%22%3A%5B1%2Cnull%5D%7D"],
  ],
  [
    "find",
    {
      value: create(ValueSchema, { kind: { case: "stringValue", value: "a" } }),
      listValue: create(ListValueSchema),
    },
    ["GET /v1/everything?value=%22a%22&listValue=%5B%5D"],
  ],
  ["find", { choice: { case: "choiceNumber", value: 0 } }, ["GET /v1/everything?choiceNumber=0"]],
  ["find", { choice: { case: "choiceWrapped", value: { value: "" } } }, ["GET /v1/everything?choiceWrapped="]],
  [
    "find",
    { labels: { b: "1", a: "2" }, switches: { 7: true } },
    ["GET /v1/everything?labels%5Bb%5D=1&labels%5Ba%5D=2&switches%5B7%5D=true"],
  ],
  ["create", { text: "a", int64: 5n }, ["POST /v1/everything", { text: "a", int64: "5" }]],
  ["create", {}, ["POST /v1/everything", {}]],
  [
    "replace",
    { text: "a", int64: 5n, child: { label: "labels/x", numbers: [1] } },
    ["PUT /v1/labels/x/numbers/5", { text: "a", child: { numbers: [1] } }],
  ],
  ["replace", { int64: 0n, child: { label: "labels/x" } }, ["PUT /v1/labels/x/numbers/0", { child: {} }]],
  [
    "change",
    { flag: true, child: { label: "x", numbers: [1, 2] } },
    ["PATCH /v1/children/x?flag=true", { numbers: [1, 2] }],
  ],
  ["remove", { text: "files/a/b c", flag: true }, ["DELETE /v1/files/a/b%20c?flag=true"]],
  ["tag", { text: "x", texts: ["a"], flag: true }, ["POST /v1/tags/x?flag=true", ["a"]]],
  ["tag", { text: "x" }, ["POST /v1/tags/x"]],
  ["measure", { double: 0.5 }, ["POST /v1/measure", 0.5]],
  ["options", { text: "x" }, ["OPTIONS /v1/options/x"]],
  ["locate", { text: "rooms/1", child: { label: "l" } }, ["GET /v1/rooms/1/places/l"]],
  ["locate", { text: "rooms/1", flag: true }, ["GET /v1/rooms/1?flag=true"]],
  ["locate", { child: { label: "l" }, flag: true }, ["POST /v1/children/l:locate", { flag: true, child: {} }]],
  ["locate", { text: "elsewhere" }, ["GET /v1/places?text=elsewhere"]],
])("%s, case %$", ([rpc, init, expected]) => {
  expect(shown(rpc, init)).toEqual(expected);
});

test.for<
  [
    rpc: keyof typeof Kitchen.method,
    init: Parameters<typeof create<typeof EverythingSchema>>[1],
    problem: string | RegExp,
  ]
>([
  ["get", {}, /^the path field text is not set$/],
  ["replace", { int64: 1n }, "the path field child.label is not set"],
  ["replace", { child: { label: "labels/x" } }, "the path field int64 is not set"],
  ["replace", create(EverythingSchema, { int64: 0n, child: { label: "labels/x" } }), "the path field int64 is not set"],
  ["replace", { int64: 1n, child: { label: "other/x" } }, 'must look like "labels/*"'],
])("%s, case %$, says what is missing", ([rpc, init, problem]) => {
  expect(() => shown(rpc, init)).toThrow(PathTemplateError);
  expect(() => shown(rpc, init)).toThrow(problem);
});

test.for<[init: Parameters<typeof create<typeof EverythingSchema>>[1], problem: string]>([
  [{ children: [{}] }, "children is a list of messages: no query can carry it"],
  [{ childrenByName: { a: {} } }, "childrenByName is a map of messages: no query can carry it"],
  [{ labels: { "a[": "" } }, 'a key of labels has a "["'],
])("what no query can carry is refused, case %$", ([init, problem]) => {
  expect(() => shown("find", init)).toThrow(TypeError);
  expect(() => shown("find", init)).toThrow(problem);
});

test.for<[query: string, paths: ReadonlyArray<string>]>([
  ["mask=a_b,child.label", ["a_b", "child.label"]],
  ["mask=aB,child.label", ["a_b", "child.label"]],
  ["mask=", []],
])("%s is read as a FieldMask, in either spelling", ([query, paths]) => {
  expect(decodeQuery(EverythingSchema, new URLSearchParams(query), [], parseWellKnown).mask?.paths).toEqual(paths);
});

test("a FieldMask without paths is not sent: it would be read as an empty path", () => {
  expect(shown("find", { mask: { paths: [] } })).toEqual(["GET /v1/everything"]);
});

test("the message that was given stays as it was", () => {
  const message = create(EverythingSchema, { int64: 5n, child: { label: "labels/x" } });
  const before = toBinary(EverythingSchema, message);
  transcode(bindingsOf("replace"), EverythingSchema, message, message, wellKnownText);
  expect(toBinary(EverythingSchema, message)).toEqual(before);
});

test.for<[row: { method: string; path: string; body?: string; responseBody?: string }, problem: string]>([
  [{ method: "GET", path: "/{missing}" }, "kitchen.v1.Everything has no field missing"],
  [{ method: "GET", path: "/{text.label}" }, "the path field text.label is not in a message"],
  [{ method: "GET", path: "/{child}" }, "the path field child is neither a scalar nor an enum"],
  [{ method: "GET", path: "/{texts}" }, "the path field texts is neither a scalar nor an enum"],
  [{ method: "GET", path: "/x", body: "missing" }, "kitchen.v1.Everything has no field missing"],
  [{ method: "GET", path: "/x", body: "*" }, "a GET has no body"],
  [{ method: "GET", path: "/x", responseBody: "missing" }, "kitchen.v1.Everything has no field missing"],
  [{ method: "POST", path: "/{text}", body: "text" }, "the field text is both in the path and the body"],
])("the rule %j is refused: %s", ([row, problem]) => {
  expect(() => resolveBinding(row, EverythingSchema, EverythingSchema)).toThrow(problem);
});

const pathOf = (rules: ReadonlyArray<string>, init: Parameters<typeof create<typeof EverythingSchema>>[1]): string => {
  const bindings = rules.map((path) => resolveBinding({ method: "GET", path }, EverythingSchema, EverythingSchema));
  const message = create(EverythingSchema, init);
  return transcode(bindings, EverythingSchema, message, message, wellKnownText).path;
};

test("a path may have the name of an enum value", () => {
  expect(pathOf(["/colors/{color}"], { color: 1 })).toBe("/colors/RED");
});

test("where no rule fits, the error says what each lacks", () => {
  expect(() => pathOf(["/a/{text}", "/b/{child.label}"], {})).toThrow(
    "/a/{text}: the path field text is not set; /b/{child.label}: the path field child.label is not set",
  );
});

/** What neither a query nor the body of one field can carry, or what a message without it says just as well. */
const isLeftOut = ({ name }: DescField): boolean => ["children", "children_by_name"].includes(name);

/** Messages in it that are empty say as little as none in a query. */
const withoutEmpty = (message: ReflectMessage): ReflectMessage => {
  for (const field of message.fields) {
    if (
      field.fieldKind !== "message" ||
      (field.message.typeName.startsWith("google.protobuf.") &&
        field.message.typeName !== "google.protobuf.FieldMask") ||
      !message.isSet(field)
    )
      continue;
    const inner = withoutEmpty(message.get(field));
    if (toBinary(inner.desc, inner.message).length === 0) message.clear(field);
  }
  return message;
};

const pathText = texts.filter(
  (text) => text !== "" && !text.includes("/") && text !== "." && text !== ".." && text.isWellFormed(),
);

const requests = fc
  .record({
    rpc: fc.constantFrom<keyof typeof Kitchen.method>(
      "get",
      "find",
      "create",
      "replace",
      "change",
      "remove",
      "tag",
      "measure",
      "options",
      "locate",
    ),
    message: messages(EverythingSchema, 2, isLeftOut),
    text: pathText,
    label: pathText,
    int64: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  })
  .filter(
    ({ message }) =>
      Object.keys(message.labels).every((key) => !/[[\]]/.test(key)) &&
      Object.keys(message.colorsByName).every((key) => !/[[\]]/.test(key)),
  );

test("whatever a client sends, a server reads as the same message", () => {
  fc.assert(
    fc.property(requests, ({ rpc, message, text, label, int64 }) => {
      const sent = clone(EverythingSchema, message);
      if (rpc !== "find") sent.text = rpc === "remove" ? `files/${text}/${label}` : text;
      if (rpc === "replace")
        Object.assign(sent, {
          int64,
          child: create(EverythingSchema.field.child.message as never, { label: `labels/${label}` } as never),
        });
      if (rpc === "change")
        sent.child = create(EverythingSchema.field.child.message as never, { label, numbers: [1] } as never);
      const { binding, path, query, body } = transcode(bindingsOf(rpc), EverythingSchema, sent, sent, wellKnownText);
      const json =
        body === undefined
          ? undefined
          : toJson(EverythingSchema, withoutPath(EverythingSchema, sent, body.pathFields) as Everything);
      const part =
        body?.field === undefined ? json : ((json as Record<string, unknown>)[body.field.jsonName] ?? undefined);
      const target = `${path}${query === "" ? "" : `?${query}`}`;
      const read = decodeRequest(
        { method: Kitchen.method[rpc], binding },
        { method: binding.method, target, body: part },
      );
      const meant = clone(EverythingSchema, sent);
      if (binding.body !== "*") withoutEmpty(reflect(EverythingSchema, meant));
      if (read !== undefined && binding.body !== "*") withoutEmpty(reflect(EverythingSchema, read as Everything));
      expect(toJson(EverythingSchema, read as Everything)).toEqual(toJson(EverythingSchema, meant));
      expect(isFieldSet(sent, EverythingSchema.field.text)).toBe(sent.text !== "");
    }),
    { numRuns: 1_000 },
  );
});
