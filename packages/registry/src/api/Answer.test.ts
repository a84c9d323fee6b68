import { fromBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { StorageUnavailable } from "../archive/ArchiveStore.ts";
import { earlyErrorAnswer, errorAnswer, type RequestHead } from "./Answer.ts";
import { ApiError } from "./ApiError.ts";
import { docs } from "./Docs.ts";
import { makeSerializer } from "./Serializer.ts";
import { DatabaseUnavailable } from "./SqlDriver.ts";

const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "5s" };

test.for<[error: unknown, status: number, body: object, retryAfter: string | undefined, isFault: boolean]>([
  [new ApiError("NOT_FOUND", "gone"), 404, { code: 5, message: "gone", details: [] }, undefined, false],
  [new ApiError("ABORTED", "no", { status: 412 }), 412, { code: 10, message: "no", details: [] }, undefined, false],
  [new Error("secret"), 500, { code: 13, message: "internal error", details: [] }, undefined, true],
  [
    new DatabaseUnavailable("x"),
    503,
    { code: 14, message: "the database cannot be reached", details: [retryInfo] },
    "5",
    true,
  ],
  [
    new StorageUnavailable("x"),
    503,
    { code: 14, message: "archives cannot be stored or read now", details: [retryInfo] },
    "5",
    true,
  ],
])("%s is answered with %i, in both formats", ([error, status, body, retryAfter, isFault]) => {
  const faults: Array<unknown> = [];
  const onFault = (fault: unknown, requestId: string) => void faults.push(fault, requestId);
  const json = errorAnswer(error, { "X-Request-Id": "id", "Retry-After": "1" }, { onFault });
  expect([json.status, JSON.parse(String(json.body)), json.headers]).toEqual([
    status,
    body,
    { "X-Request-Id": "id", "Retry-After": retryAfter ?? "1" },
  ]);
  expect(faults).toEqual(isFault ? [error, "id"] : []);
  const protobuf = errorAnswer(error, {}, { format: "protobuf" });
  const { code, message, details } = fromBinary(StatusSchema, protobuf.body as Uint8Array);
  expect({ code, message, details: details.length }).toEqual({ ...body, details: retryAfter === undefined ? 0 : 1 });
});

const head = (accept: string | null) =>
  ({ header: (name: string) => (name === "accept" ? accept : null) }) as RequestHead;

test("an early error is in the format that is preferred, where there are several", () => {
  const types = [null, "application/x-protobuf", "text/html"].map((accept) =>
    [{}, { jsonOnly: true }].map((options) => {
      const { headers } = earlyErrorAnswer(new Error("x"), head(accept), makeSerializer(options));
      return [headers["Content-Type"], headers["Vary"]];
    }),
  );
  const [json, only] = [
    ["application/json", "Accept"],
    ["application/json", undefined],
  ];
  expect(types).toEqual([
    [json, only],
    [["application/x-protobuf", "Accept"], only],
    [json, only],
  ]);
});

test("the pages of the documentation may be cached for five minutes", () => {
  for (const page of docs.values()) {
    expect([page().status, page().headers["Cache-Control"]]).toEqual([200, "public, max-age=300"]);
  }
});
