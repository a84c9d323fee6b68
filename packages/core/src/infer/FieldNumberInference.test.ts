import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageShape,
  type UnknownField,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hiddenFor, message, numbers, wireTypes } from "../../test/verify/Arbitrary.ts";
import { contractMessages, foreignServer, type ForeignServer, type Numbers } from "../../test/verify/ForeignServer.ts";
import { origin, said } from "../../test/verify/Reading.ts";
import { firstPage, page, statuses, trainer, zipper } from "../../test/verify/Samples.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import { createEngineClient } from "../promise.ts";
import type { HttpResponse } from "../Transport.ts";
import { encode } from "../wire.ts";
import { FieldNumberInference } from "./FieldNumberInference.ts";
import type { Profile } from "./Profile.ts";
import { fieldNumbers } from "./ProfileReader.ts";

/** Random servers that the law is tried on; TRUST_RUNS tries more. */
const numRuns = Number(process.env["TRUST_RUNS"] ?? 200);

/** Everything that is claimed about the numbers is true. */
const assertTrue = (profile: Profile, truth: Numbers): void => {
  for (const [typeName, { fields, unknown }] of Object.entries(profile.messages)) {
    const theirs = truth[typeName] ?? {};
    for (const [name, { number }] of Object.entries(fields))
      if (number !== undefined) expect(number).toBe(theirs[name]);
    for (const number of unknown) expect(Object.values(theirs)).not.toContain(number);
  }
};

const answers = fc.array(
  fc.oneof(
    ...[EngineSchema, EngineListResponseSchema, EngineMessageSchema].map((schema: DescMessage) =>
      message(schema).map((sent) => ({ schema, sent })),
    ),
  ),
  { minLength: 1, maxLength: 20 },
);

/** Compares both formats of a resource. */
const compare = <D extends DescMessage>(
  inference: FieldNumberInference,
  schema: D,
  server: ForeignServer,
  sent: MessageShape<D>,
  json = sent,
): boolean => inference.add(schema, server.protobuf(schema, sent), server.json(schema, json));

/** Reads protobuf of a server by what was inferred. */
const read = <D extends DescMessage>(
  inference: FieldNumberInference,
  schema: D,
  server: ForeignServer,
  sent: MessageShape<D>,
): MessageShape<D> | undefined =>
  fieldNumbers(inference.profile(origin, 0)).read(schema, server.protobuf(schema, sent));

test("for any numbering, any responses and any parts of them, what is read is right and what is claimed is true", () => {
  fc.assert(
    fc.property(
      numbers.chain((chosen) =>
        fc.tuple(fc.constant(chosen), fc.array(hiddenFor(chosen), { minLength: 1, maxLength: 3 })),
      ),
      wireTypes,
      answers,
      ([chosen, hidden], types, sequence) => {
        const inference = new FieldNumberInference();
        const servers = sequence.map((_, index) => foreignServer(chosen, hidden[index % hidden.length], types));
        for (const [index, { schema, sent }] of sequence.entries())
          compare(inference, schema, servers[index] as ForeignServer, sent);
        assertTrue(inference.profile(origin, 0), chosen);
        const { read: readByProfile } = fieldNumbers(inference.profile(origin, 0));
        for (const [index, { schema, sent }] of sequence.entries()) {
          const server = servers[index] as ForeignServer;
          const got = readByProfile(schema, server.protobuf(schema, sent));
          if (got === undefined) continue;
          const expected = said(server, schema, sent);
          expect(said(server, schema, got)).toEqual(expected);
          // Passing it on under our numbers must not turn an unknown field into one of ours.
          expect(said(server, schema, fromBinary(schema, toBinary(schema, got)))).toEqual(expected);
        }
      },
    ),
    { numRuns },
  );
}, 600_000);

test("200 random numberings are inferred from four responses", () => {
  for (const chosen of fc.sample(numbers, { seed: 4, numRuns: 200 })) {
    const server = foreignServer(chosen);
    const inference = new FieldNumberInference();
    for (const sent of [page, firstPage]) expect(compare(inference, EngineListResponseSchema, server, sent)).toBe(true);
    for (const sent of statuses) expect(compare(inference, EngineMessageSchema, server, sent)).toBe(true);
    for (const sent of [page, firstPage]) expect(read(inference, EngineListResponseSchema, server, sent)).toEqual(sent);
    for (const sent of [trainer, zipper]) expect(read(inference, EngineSchema, server, sent)).toEqual(sent);
    for (const sent of statuses) expect(read(inference, EngineMessageSchema, server, sent)).toEqual(sent);
    assertTrue(inference.profile(origin, 0), chosen);
  }
}, 120_000);

const text = (no: number, value: string): UnknownField => ({
  no,
  wireType: WireType.LengthDelimited,
  data: new BinaryWriter().string(value).finish(),
});

test("a field that only the protobuf has is kept, after a second response showed the same", () => {
  const server = foreignServer(
    { "bytenite.engine.Engine": { name: 40 } },
    { "bytenite.engine.Engine": [text(77, "new")] },
  );
  const inference = new FieldNumberInference();
  compare(inference, EngineSchema, server, trainer);
  expect(read(inference, EngineSchema, server, trainer)).toBeUndefined();
  compare(inference, EngineSchema, server, trainer);
  expect(read(inference, EngineSchema, server, trainer)).toMatchObject({
    name: "trainer",
    $unknown: [text(77, "new")],
  });
});

const whole = {
  engineTag: "zipper@0.1",
  engineStatus: "active",
  engineLink: "https://f/a.zip",
  engineData: new Uint8Array([1]),
};
const statusOf = (engineId: string) => create(EngineMessageSchema, { engineId, ...whole });

test.for<[what: string, pairs: ReadonlyArray<readonly [unknown: number, engineId: string]>, known: object | undefined]>(
  [
    [
      "the next one that has it",
      [
        [77, "1"],
        [77, "2"],
      ],
      [77],
    ],
    [
      "no other one",
      [
        [77, "1"],
        [78, "2"],
      ],
      undefined,
    ],
    [
      "the one after that",
      [
        [77, "1"],
        [78, "2"],
        [78, "3"],
      ],
      [78],
    ],
    [
      "none after one without it",
      [
        [77, "1"],
        [0, "2"],
        [77, "3"],
      ],
      [],
    ],
    [
      "the next one after that",
      [
        [77, "1"],
        [0, "2"],
        [77, "3"],
        [77, "4"],
      ],
      [77],
    ],
  ],
)("without a time of change, an unknown number is believed by %s", ([, pairs, known]) => {
  const inference = new FieldNumberInference();
  for (const [no, engineId] of pairs) {
    const hidden = no === 0 ? {} : { "bytenite.developer.EngineMessage": [text(no, `x${engineId}`)] };
    compare(inference, EngineMessageSchema, foreignServer({}, hidden), statusOf(engineId));
  }
  expect(inference.profile(origin, 0).messages["bytenite.developer.EngineMessage"]?.unknown).toEqual(known);
});

test("a time of change counts for the messages inside, too", () => {
  const server = foreignServer({}, { "bytenite.common.PlatformConfig": [text(77, "new")] });
  const known = (sent: MessageShape<typeof EngineSchema>) => {
    const inference = new FieldNumberInference();
    for (let call = 0; call < 2; call++) compare(inference, EngineSchema, server, sent);
    return inference.profile(origin, 0).messages["bytenite.common.PlatformConfig"]?.unknown;
  };
  expect(known(trainer)).toEqual([77]);
  expect(known(create(EngineSchema, { ...trainer, updatedAt: undefined }))).toBeUndefined();
});

test("without a time of change, a field is the server's own once a response that differs in both formats has it", () => {
  const servers = ["one", "two"].map((value) =>
    foreignServer({}, { "bytenite.developer.EngineMessage": [text(77, value)] }),
  ) as [ForeignServer, ForeignServer];
  const [first, second] = servers;
  const inference = new FieldNumberInference();
  const known = () => inference.profile(origin, 0).messages["bytenite.developer.EngineMessage"]?.unknown;
  for (const server of [first, first, second]) {
    expect(compare(inference, EngineMessageSchema, server, statusOf("1"))).toBe(true);
    expect(known()).toBeUndefined();
  }
  compare(inference, EngineMessageSchema, first, statusOf("2"));
  expect(known()).toEqual([77]);
});

test("an unknown field under one of our numbers is kept where it cannot be taken for ours", () => {
  const server = foreignServer(
    { "bytenite.engine.Engine": { name: 40 } },
    { "bytenite.engine.Engine": [text(2, "new")] },
  );
  const inference = new FieldNumberInference();
  for (let call = 0; call < 2; call++) compare(inference, EngineSchema, server, trainer);
  const message = read(inference, EngineSchema, server, trainer);
  if (message === undefined) throw new Error("not read");
  expect(message.$unknown).toEqual([text(268_435_458, "new")]);
  expect(fromBinary(EngineSchema, toBinary(EngineSchema, message)).name).toBe("trainer");
});

test("a hidden field that always equals one of ours keeps both unconfirmed", () => {
  const server = foreignServer({}, { "bytenite.developer.EngineMessage": [text(9, "active")] });
  const inference = new FieldNumberInference();
  for (const tag of ["a", "b", "c", "d"]) {
    const sent = { ...statuses[0], engineTag: tag, engineStatus: "active" } as MessageShape<typeof EngineMessageSchema>;
    compare(inference, EngineMessageSchema, server, sent);
  }
  const { fields, unknown } = inference.profile(origin, 0).messages["bytenite.developer.EngineMessage"] ?? {};
  expect(fields).toMatchObject({ engine_id: { number: 1 }, engine_tag: { number: 2 } });
  expect(fields?.["engine_status"]?.candidates?.map(({ number }) => number)).toEqual([5, 9]);
  expect(unknown).toEqual([]);
});

test("a response that was written as zigzag or fixed is read as such", () => {
  const server = foreignServer(
    {},
    {},
    {
      "bytenite.engine.Engine": { revision: Type.SINT32 },
      "bytenite.common.PaginatedResponse": { total: Type.FIXED32 },
    },
  );
  const inference = new FieldNumberInference();
  compare(inference, EngineListResponseSchema, server, page);
  expect(read(inference, EngineListResponseSchema, server, page)).toEqual(page);
});

const ours = foreignServer({});
const swapped = foreignServer({ "bytenite.engine.Engine": { name: 7, description: 2 } });

test("pairs that do not match give no evidence", () => {
  const inference = new FieldNumberInference();
  for (let call = 0; call < 8; call++) expect(compare(inference, EngineSchema, ours, zipper, trainer)).toBe(false);
  expect(inference.profile(origin, 0).messages).toEqual({});
});

test("replicas that lack some of the fields do not make a number foreign", () => {
  const inference = new FieldNumberInference();
  compare(inference, EngineSchema, swapped, zipper, { ...zipper, description: "" });
  compare(inference, EngineSchema, swapped, zipper);
  compare(inference, EngineSchema, swapped, trainer);
  expect(read(inference, EngineSchema, swapped, zipper)).toEqual(zipper);
});

/** A server with so many unknown numbers in the status of an engine, from this one on. */
const strange = (from: number, count: number) => {
  const numbers = Array.from({ length: count }, (_, index) => ({
    no: from + index,
    wireType: WireType.Varint,
    data: new Uint8Array([1]),
  }));
  return foreignServer({}, { "bytenite.developer.EngineMessage": numbers });
};
const tagged = (engineTag: string) => create(EngineMessageSchema, { engineTag });

test("the messages of a type have 512 different numbers at most, together with earlier ones", () => {
  const inference = new FieldNumberInference();
  const taken = ([from, count]: readonly [number, number]) =>
    compare(inference, EngineMessageSchema, strange(from, count), tagged("a"));
  expect([[100, 512] as const, [100, 511] as const].map(taken)).toEqual([false, true]);
  const later = new FieldNumberInference();
  for (const server of [strange(100, 300), strange(100, 300)])
    compare(later, EngineMessageSchema, server, create(EngineMessageSchema, { engineId: "i", ...whole }));
  const all = create(EngineMessageSchema, { engineId: "j", ...whole });
  compare(later, EngineMessageSchema, strange(100, 300), all);
  const fits = [strange(500, 208), strange(500, 207)].map((server) => compare(later, EngineMessageSchema, server, all));
  expect(fits).toEqual([false, true]);
});

test("256 messages of a type are read of one response", () => {
  const engines = Array.from({ length: 257 }, (_, at) => ({ id: `${at}`, createdAt: { seconds: 1n } }));
  const inference = new FieldNumberInference();
  compare(inference, EngineListResponseSchema, ours, create(EngineListResponseSchema, { engines }));
  expect(inference.profile(origin, 0).messages["bytenite.engine.Engine"]?.compared).toBe(256);
});

/** A client whose middleware infers; `json` may differ from request to request. */
const inferring = async (server: ForeignServer, bodyOf: (request: number) => typeof zipper) => {
  const inference = new FieldNumberInference();
  const sent: Array<string> = [];
  const client = createEngineClient({
    baseUrl: `${origin}/v1/dev`,
    format: "json",
    middleware: [inference.middleware],
    fetch: (_url, init) => {
      const headers = new Headers(init.headers);
      const accept = headers.get("accept") ?? "";
      sent.push(`${accept} ${headers.get("cache-control")}`);
      const engine = bodyOf(sent.length);
      const body =
        accept === "application/json"
          ? encode(EngineSchema, engine, "json")
          : (server.protobuf(EngineSchema, engine) as Uint8Array<ArrayBuffer>);
      return Promise.resolve(new Response(body, { headers: { "content-type": accept } }));
    },
  });
  const engine = await client.get("zipper");
  return { engine, inference, sent };
};

test("the middleware compares each resource between two requests for its protobuf, past caches", async () => {
  const { engine, inference, sent } = await inferring(swapped, () => zipper);
  expect(engine).toEqual(zipper);
  expect(sent).toEqual(
    ["application/x-protobuf", "application/json", "application/x-protobuf"].map(
      (accept) => `${accept} no-cache, no-transform`,
    ),
  );
  expect(inference.profile(origin, 0).messages["bytenite.engine.Engine"]?.fields["name"]?.number).toBe(7);
  expect(inference.misfits).toEqual([]);
});

test("a resource that changes while it is read, or whose formats differ, is named and not taken in", async () => {
  const changing = await inferring(ours, (request) => (request === 3 ? trainer : zipper));
  expect(changing.inference.misfits).toEqual([
    "bytenite.engine.Engine: /v1/dev/engines/zipper changed while it was read",
  ]);
  const differing = await inferring(ours, (request) => (request === 2 ? trainer : zipper));
  expect(differing.engine).toEqual(trainer);
  expect(differing.inference.misfits).toEqual([
    "bytenite.engine.Engine: the protobuf of /v1/dev/engines/zipper does not fit its JSON",
  ]);
  for (const { inference } of [changing, differing]) expect(inference.profile(origin, 0).messages).toEqual({});
});

const answer = (format: Format | undefined, status = 200, path = "/v1/dev/engines/zipper"): HttpResponse => {
  const headers = new Headers(format === undefined ? {} : { "content-type": mediaTypeOf(format) });
  return { url: `${origin}${path}`, status, headers, bytes: encode(EngineSchema, zipper, format ?? "json") };
};
const changed = ["bytenite.engine.Engine: /v1/dev/engines/zipper changed while it was read"];

const deep = new TextEncoder().encode(`{"a":${"[".repeat(100)}${"]".repeat(100)}}`);

test.for<
  [what: string, answers: ReadonlyArray<HttpResponse | undefined>, misfits: ReadonlyArray<string>, isCompared?: boolean]
>([
  ["three good responses", [answer("protobuf"), answer("json"), answer("protobuf")], []],
  ["JSON without a type", [answer("protobuf"), answer(undefined), answer("protobuf")], []],
  ["no first response", [undefined, answer("json")], []],
  ["an error first", [answer("protobuf", 500), answer("json")], []],
  ["no protobuf first", [answer("json"), answer("json")], []],
  ["no engine", [answer("protobuf"), answer("json", 404)], []],
  ["JSON of too many levels", [answer("protobuf"), { ...answer("json"), bytes: deep }, answer("protobuf")], [], false],
  ["no body", [answer("protobuf"), { ...answer("json"), bytes: new Uint8Array() }, answer("protobuf")], [], false],
  ["no last response", [answer("protobuf"), answer("json"), undefined], changed],
  ["an error last", [answer("protobuf"), answer("json"), answer("protobuf", 500)], changed],
  ["no protobuf last", [answer("protobuf"), answer("json"), answer("json")], changed],
])(
  "with %s the JSON is handed out, and compared where there is protobuf twice",
  async ([, answers, misfits, isCompared = misfits.length === 0 && answers.length === 3]) => {
    const inference = new FieldNumberInference();
    const asked: Array<string> = [];
    const got = await inference.middleware(
      { url: `${origin}/v1/dev/engines/zipper`, method: "GET", headers: {} },
      ({ headers }) => {
        const next = answers[asked.length];
        asked.push(headers["accept"] ?? "");
        return next === undefined ? Promise.reject(new Error("no connection")) : Promise.resolve(next);
      },
    );
    expect(got).toBe(answers[1]);
    expect(asked).toEqual(
      ["protobuf", "json", "protobuf"].slice(0, answers.length).map((format) => mediaTypeOf(format as Format)),
    );
    expect(inference.misfits).toEqual(misfits);
    expect("bytenite.engine.Engine" in inference.profile(origin, 0).messages).toBe(isCompared);
  },
);

test.for([
  ["POST", "/v1/dev/engines"],
  ["GET", "/v1/dev/engines/a/b/c"],
  ["GET", "/v1/dev/users"],
])("%s %s is sent once, as it is", async ([method = "", path = ""]) => {
  const inference = new FieldNumberInference();
  const asked: Array<unknown> = [];
  const request = { url: `${origin}${path}`, method, headers: {} };
  await inference.middleware(request, (sent) => {
    asked.push(sent);
    return Promise.resolve(answer("json"));
  });
  expect(asked).toEqual([request]);
});

test("all messages of the contract are in a profile", () => {
  const inference = new FieldNumberInference();
  compare(inference, EngineListResponseSchema, ours, page);
  compare(inference, EngineMessageSchema, ours, statuses[0] as MessageShape<typeof EngineMessageSchema>);
  const { messages } = inference.profile(origin, 0);
  expect(Object.keys(messages).toSorted()).toEqual(contractMessages.map(({ typeName }) => typeName).toSorted());
});
