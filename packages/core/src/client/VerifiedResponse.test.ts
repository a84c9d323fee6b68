// Formats that a client asks for, and its reading of answers.
import { create, toBinary } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { createEngineClient, type ClientOptions, type EngineEvent } from "../promise.ts";
import type { OriginStatus } from "../verify/SchemaVerifier.ts";

const origin = "http://a.example";
const engine = create(EngineSchema, { name: "a" });
const json = () => Response.json({ name: "a" });
/** Without our schema digest. */
const protobuf = () =>
  new Response(toBinary(EngineSchema, engine), { headers: { "content-type": "application/x-protobuf" } });
const refused = () => new Response("", { status: 406 });

type Answers = Readonly<Record<"json" | "protobuf", () => Response | Promise<Response>>>;

/** A client whose server answers by the format that it is asked for, and what that was. */
const clientOf = (answers: Answers, options: ClientOptions = {}) => {
  const asked: Array<string> = [];
  const events: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl: origin,
    retry: { baseDelayMs: 0 },
    fetch: (_url, { headers }) => {
      const format = new Headers(headers).get("accept") === "application/json" ? "json" : "protobuf";
      asked.push(format);
      return Promise.resolve(answers[format]());
    },
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { client, asked, events };
};

test("where protobuf is not acceptable, JSON is asked for, from then on at once", async () => {
  const { client, asked, events } = clientOf({ json, protobuf: refused });
  for (const tag of ["a", "b"]) await client.get(tag);
  expect(asked).toEqual(["protobuf", "json", "json"]);
  expect(events.map(({ type }) => type)).toEqual(["response", "fallback", "response", "response"]);
  expect(events[1]).toMatchObject({ asked: "protobuf", answered: "json" });
});

test("where neither is acceptable, each is asked for once", async () => {
  const { client, asked } = clientOf({ json: refused, protobuf: refused });
  for (const tag of ["a", "b"]) await expect(client.get(tag)).rejects.toMatchObject({ status: 406 });
  expect(asked).toEqual(["protobuf", "json", "json"]);
});

test.for<[format: "json" | "protobuf", requests: number, problem: string]>([
  ["json", 2, "the server answers in protobuf only, and its field numbers are not verified"],
  [
    "protobuf",
    1,
    'the server does not name our schema, so its protobuf is not verified; ask with format "auto" or "json"',
  ],
])("protobuf that cannot be verified is an error where %s is asked for, after %i requests", async (row) => {
  const [format, requests, problem] = row;
  const { client, asked } = clientOf({ json: protobuf, protobuf }, { format });
  await expect(client.get("a")).rejects.toMatchObject({ reason: { _tag: "Undecodable", problem }, requests });
  expect(asked).toEqual(Array.from({ length: requests }, () => format));
});

test("two calls at once that share both answers compare them once", async () => {
  const { client, asked } = clientOf({ json, protobuf }, { protobufVerification: { responsesPerExtraRequest: 1 } });
  await Promise.all([client.get("a"), client.get("a")]);
  expect(asked).toEqual(["protobuf", "json"]);
  // Both paid; and what was compared showed something, so that the next comparison costs no more.
  for (const tag of ["b", "c"]) await client.get(tag);
  expect(asked.slice(2)).toEqual(["json", "protobuf"]);
});

test("a response that is compared for a sample is paid for, and no reason for JSON", async () => {
  const stored: Array<OriginStatus | undefined> = [];
  const fieldNumbers = [{ origin, areOther: false, read: () => engine as never }];
  const memory = {
    get: () => stored.at(-1),
    set: (_: string, status: OriginStatus | undefined) => stored.push(status),
  };
  const verification = { fieldNumbers, memory, responsesPerExtraRequest: 3 };
  const { client, asked } = clientOf({ json, protobuf }, { protobufVerification: verification });
  for (const tag of ["a", "b", "c", "d"]) await client.get(tag);
  expect(asked).toEqual(["protobuf", "json", "json", "json", "protobuf"]);
  expect(stored).toEqual(["compared"]);
});

test("a call with a format of its own leaves the place of the one that may compare", async () => {
  const first = Promise.withResolvers<Response>();
  const { client, asked } = clientOf({ json, protobuf: () => first.promise });
  const comparing = client.get("a");
  await client.get("b", { format: "json" });
  await client.get("c");
  expect(asked).toEqual(["protobuf", "json", "json"]);
  first.resolve(json());
  await comparing;
});

test("a comparison that takes too long leaves the answer that there is, even where its request cannot be aborted", async () => {
  const fieldNumbers = [{ origin, areOther: false, read: () => engine as never }];
  const options = { protobufVerification: { fieldNumbers }, attemptTimeoutMs: 20 };
  const { client, asked } = clientOf({ json: () => new Promise<Response>(() => {}), protobuf }, options);
  expect(await client.withResponse.get("a")).toMatchObject({ data: { name: "a" }, format: "protobuf", attempts: 1 });
  expect(asked).toEqual(["protobuf", "json"]);
});
