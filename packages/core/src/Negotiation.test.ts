import { expect, test } from "vitest";
import { negotiate } from "./Negotiation.ts";

test.for<[accept: string | null, answered: string | undefined]>([
  [null, "application/json"],
  ["", "application/json"],
  ["*/*", "application/json"],
  ["application/json", "application/json"],
  ["application/x-protobuf", "application/x-protobuf"],
  ["APPLICATION/X-PROTOBUF", "application/x-protobuf"],
  ["application/protobuf", "application/protobuf"],
  ["application/x-protobuf, application/json", "application/json"],
  ["application/x-protobuf, application/json;q=0.9", "application/x-protobuf"],
  ["application/*;q=0.2, application/json;q=0", "application/x-protobuf"],
  ["*/*;q=0.1, application/x-protobuf;q=0.2", "application/x-protobuf"],
  ["application/json;charset=utf-8", "application/json"],
  ["application/json;profile=x", undefined],
  ["text/html", undefined],
  ["application/json;q=0", undefined],
  ["*/*;q=0", undefined],
  ["application/json;q=1.5, application/x-protobuf", "application/x-protobuf"],
  ['text/html;level="a,b", application/x-protobuf', "application/x-protobuf"],
  ["*/json", "application/json"],
])("Accept %s is answered with %s", ([accept, answered]) => {
  expect(negotiate(accept)?.mediaType).toBe(answered);
});
