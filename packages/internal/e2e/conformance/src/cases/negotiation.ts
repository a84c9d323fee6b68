// Cases for Accept and the response media type (RFC 9110, 12.5.1).

/** What an Accept header is answered with: a media type, or undefined for 406. */
export type AcceptCase = readonly [accept: string | undefined, mediaType: string | undefined];

const json = "application/json";
const protobuf = "application/x-protobuf";

export const acceptCases: ReadonlyArray<AcceptCase> = [
  [undefined, json],
  ["", json],
  ["*/*", json],
  ["application/*", json],
  [json, json],
  [protobuf, protobuf],
  ["Application/X-Protobuf", protobuf],
  ["application/protobuf", "application/protobuf"],
  ["application/vnd.google.protobuf", "application/vnd.google.protobuf"],
  ["application/x-protobuf;q=0.2, application/json;q=0.1", protobuf],
  ["application/x-protobuf;q=0.1, application/json;q=0.2", json],
  ["application/json;q=0, */*", protobuf],
  ["application/json;q=0, application/*;q=0.001", protobuf],
  ["text/html, application/xhtml+xml, */*;q=0.8", json],
  ["text/html, application/x-protobuf;q=0.001", protobuf],
  ["application/json; charset=utf-8", json],
  ['text/plain;x="a,b;q=1", application/x-protobuf', protobuf],
  ["nonsense, application/x-protobuf", protobuf],
  ["text/html", undefined],
  ["image/*", undefined],
  ["application/octet-stream", undefined],
  ["application/json;q=0", undefined],
  ["*/*;q=0", undefined],
  [
    "application/json;q=0, application/x-protobuf;q=0, application/protobuf;q=0.0, application/vnd.google.protobuf;q=0",
    undefined,
  ],
];
