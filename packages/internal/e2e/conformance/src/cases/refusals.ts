// Refusals: credentials, paths and methods.
import { data, refused, type WireCase } from "../Case.ts";
import { tokenOf } from "../Engines.ts";

const list = { endpoint: "list" } as const;

const proxyMethod = { refused: { status: 405, code: "UNIMPLEMENTED", reason: "Unimplemented" } } as const;

export const refusals: ReadonlyArray<WireCase> = [
  {
    name: "a list asked for by nobody",
    as: "nobody",
    call: list,
    target: "/engines",
    expected: refused.unauthenticated,
  },
  {
    name: "an engine asked for by nobody",
    as: "nobody",
    call: { endpoint: "get", tag: "full@1.2" },
    target: "/engines/full@1.2",
    expected: refused.unauthenticated,
  },
  {
    name: "a list asked for by a stranger",
    as: "stranger",
    call: list,
    target: "/engines",
    expected: refused.unauthenticated,
  },
  {
    name: "a status asked for by a stranger",
    as: "stranger",
    call: { endpoint: "status", tag: "full@1.2" },
    target: "/engines/full@1.2/status",
    expected: refused.unauthenticated,
  },
  {
    name: "a token after Bearer",
    as: "nobody",
    headers: { authorization: `Bearer ${tokenOf("bob")}` },
    target: "/engines",
    expected: data((seeds) => seeds.page("bob", seeds.tags("bob"), 0)),
  },
  {
    name: "a token after another scheme",
    as: "nobody",
    headers: { authorization: `Basic ${tokenOf("bob")}` },
    target: "/engines",
    expected: refused.unauthenticated,
  },
  ...[
    "",
    "/",
    "/engine",
    "/Engines",
    "/engines/full/state",
    "/engines/full@1.2/status/now",
    "//engines",
    "/engines/../engines",
  ].map((target): WireCase => ({
    name: `the path ${target || "of the base URL itself"}`,
    target,
    expected: refused.notFound,
  })),
  ...["POST", "PUT", "PATCH", "DELETE"].map((method): WireCase => ({
    name: `the method ${method}`,
    method,
    target: "/engines/full/status",
    expected: refused.unimplemented,
    expectedOfProxy: proxyMethod,
  })),
];
