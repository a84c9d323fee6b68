import { expect, test } from "vitest";
import { endToEnd } from "./HopByHop.ts";

test("fields of the connection, and those that it lists, end here (RFC 9110, 7.6.1)", () => {
  const headers = new Headers({
    connection: "close, X-Private, authorization",
    "x-private": "1",
    authorization: "secret",
    "keep-alive": "timeout=5",
    te: "trailers",
    "transfer-encoding": "chunked",
    upgrade: "h2c",
    "proxy-authorization": "Basic x",
    "proxy-authenticate": "Basic",
    "proxy-authentication-info": "x",
    "proxy-connection": "close",
    trailer: "x",
    "x-public": "2",
  });
  expect([...endToEnd(headers)]).toEqual([["x-public", "2"]]);
});

test("without Connection, the known fields end here", () => {
  expect([...endToEnd(new Headers({ te: "trailers", "x-public": "2" }))]).toEqual([["x-public", "2"]]);
});

test("repeated fields stay repeated", () => {
  const headers = new Headers();
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  expect(endToEnd(headers).getSetCookie()).toEqual(["a=1", "b=2"]);
});

// RFC 9110, 7.6.1: "A sender MUST NOT send a connection option corresponding to a field that is intended for all recipients
// of the content. For example, Cache-Control is never appropriate as a connection option".
test.each(["Age", "Cache-Control", "CDN-Cache-Control", "Date", "Expires", "Pragma", "Vary"])(
  "%s stays, although Connection lists it",
  (name) => {
    const headers = new Headers({ connection: `${name}, x`, [name]: "1", x: "1" });
    expect([...endToEnd(headers)]).toEqual([[name.toLowerCase(), "1"]]);
  },
);

test.each(["cache-controls", "x-age", "varying", "expires-x"])("%s goes where Connection lists it", (name) => {
  expect([...endToEnd(new Headers({ connection: name, [name]: "1" }))]).toEqual([]);
});
