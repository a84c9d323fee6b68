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
  ["text/json", undefined],
  ["text/*", undefined],
  // The most specific range decides, wherever it stands; of two equal ones the first.
  ["*/*;q=0, application/*", "application/json"],
  ["application/json;q=0, application/*", "application/x-protobuf"],
  ["application/json;q=0, application/json", undefined],
  // What is not a range says nothing, and a header of nothing else allows everything.
  ["*/json", "application/json"],
  ["*/x-protobuf", "application/json"],
  ["text", "application/json"],
  ["text/", "application/json"],
  ["/json", "application/json"],
  ["a b/html", "application/json"],
  ["text/a b", "application/json"],
  ["text/html/5", "application/json"],
  ["application/json/x, application/x-protobuf", "application/x-protobuf"],
  // Weights (RFC 9110, 12.4.2), and what stands around them.
  ["application/x-protobuf;q=1, application/json;q=0.5", "application/x-protobuf"],
  ["application/json;q=1, application/x-protobuf", "application/json"],
  ["application/x-protobuf;q=1.000, application/json;q=0.999", "application/x-protobuf"],
  ["application/x-protobuf;q=0.999, application/json;q=0.998", "application/x-protobuf"],
  ["application/x-protobuf;q=1.001, application/json;q=0.5", "application/json"],
  ["application/x-protobuf;q, application/json;q=0.5", "application/json"],
  ["application/json;", "application/json"],
  ["application/json ; q = 0.5", "application/json"],
  // Commas and quotes in quoted strings.
  ['text/html;a=",application/json,", application/x-protobuf', "application/x-protobuf"],
  ['text/html;a=",application/json', undefined],
  ['application/json;charset="a;b"', "application/json"],
  ['application/json;"", application/x-protobuf', "application/x-protobuf"],
  [String.raw`text/html;a="\",", application/x-protobuf`, "application/x-protobuf"],
])("Accept %s is answered with %s", ([accept, answered]) => {
  expect(negotiate(accept)?.mediaType).toBe(answered);
});
