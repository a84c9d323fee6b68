// Lists: defaults, pages and their edges, orders, filters, owners.
import { data, refused, type Expected, type WireCase } from "../Case.ts";

/** Rows on a page when none are asked for: an assumption of our registry. */
const defaultLimit = 20;

const page = (from: number, to: number): Expected =>
  data((seeds) => seeds.page("alice", seeds.tags("alice").slice(from, to), from));

const whole = page(0, defaultLimit);

const refusedLists = [
  ["a negative limit", "pagination.limit=-1"],
  ["a fractional limit", "pagination.limit=1.5"],
  ["an empty limit", "pagination.limit="],
  ["a limit past uint32", "pagination.limit=4294967296"],
  ["a limit in words", "pagination.limit=ten"],
  ["a limit with an exponent", "pagination.limit=1e2"],
  ["a hexadecimal limit", "pagination.limit=0x10"],
  ["a limit with a sign", "pagination.limit=%2B5"],
  ["a limit with a space", "pagination.limit=%205"],
  ["a negative offset", "pagination.offset=-1"],
  ["an offset past uint32", "pagination.offset=4294967296"],
  ["an endless offset", "pagination.offset=Infinity"],
  ["a boolean in other words", "isPublic=yes"],
  ["an empty boolean", "isPublic="],
  ["a boolean in other letters", "isPublic=tRUE"],
  ["a repeated parameter", "orderBy=createdAt&orderBy=createdAt"],
  ["a parameter repeated under its other name", "orderBy=createdAt&order_by=createdAt"],
  ["a repeated nested parameter", "pagination.limit=1&pagination.limit=1"],
  ["an order by nothing that exists", "orderBy=colour"],
  ["a malformed escape", "orderBy=%zz"],
] as const;

const sameLists = [
  ["a question mark with nothing after it", "?", whole],
  ["unknown parameters, which are ignored", "?page=2&engineTag=x&pagination.total=7&pagination=3", whole],
  ["isPublic=false, which is the same as none", "?isPublic=false", whole],
  ["isPublic=0", "?isPublic=0", whole],
  ["isPublic=F", "?isPublic=F", whole],
  ["a limit of zero, which is the same as none", "?pagination.limit=0", whole],
  ["a limit with leading zeros", "?pagination.limit=0003", page(0, 3)],
  ["escapes where none are needed", "?%70agination%2Elimit=%33", page(0, 3)],
  ["proto names", "?order_by=created_at&pagination.limit=3&is_public=false", page(0, 3)],
  [
    "parameters in another order",
    "?isPublic=false&pagination.offset=2&pagination.limit=2&orderBy=createdAt",
    page(2, 4),
  ],
] as const;

export const lists: ReadonlyArray<WireCase> = [
  { name: "the list without parameters", call: { endpoint: "list" }, target: "/engines", expected: whole },
  {
    name: "the list of another user",
    as: "bob",
    call: { endpoint: "list" },
    target: "/engines",
    expected: data((seeds) => seeds.page("bob", seeds.tags("bob"), 0)),
  },
  {
    name: "the list of a user who owns nothing",
    as: "carol",
    call: { endpoint: "list" },
    target: "/engines",
    expected: data((seeds) => seeds.page("carol", [], 0)),
  },
  ...(
    [
      [{ limit: 1 }, page(0, 1)],
      [{ limit: 5, offset: 5 }, page(5, 10)],
      [{ limit: 5, offset: 15 }, page(15, 18)],
      [{ limit: 18 }, page(0, 18)],
      [{ limit: 17, offset: 1 }, page(1, 18)],
      [{ offset: 17 }, page(17, 18)],
      [{ offset: 18 }, page(18, 18)],
      [{ limit: 1, offset: 4_294_967_295 }, data((seeds) => seeds.page("alice", [], 4_294_967_295))],
      [{ limit: 4_294_967_295 }, page(0, 18)],
    ] as const
  ).map(([params, expected]): WireCase => ({
    name: `the page ${JSON.stringify(params)}`,
    call: { endpoint: "list", params },
    target: `/engines?${Object.entries(params)
      .map(([name, value]) => `pagination.${name}=${value}`)
      .join("&")}`,
    expected,
  })),
  {
    name: "the order createdAt",
    call: { endpoint: "list", params: { orderBy: "createdAt", limit: 4 } },
    target: "/engines?orderBy=createdAt&pagination.limit=4",
    expected: page(0, 4),
  },
  {
    name: "an order by nothing that exists, through core",
    call: { endpoint: "list", params: { orderBy: "colour" } },
    expected: refused.invalid,
  },
  {
    name: "the public engines of everybody",
    as: "carol",
    call: { endpoint: "list", params: { isPublic: true } },
    expected: data((seeds) => seeds.publicPage()),
  },
  ...["true", "1", "t", "T", "TRUE", "True"].map((yes): WireCase => ({
    name: `the public engines of everybody, asked for with ${yes}`,
    as: "carol",
    target: `/engines?isPublic=${yes}`,
    expected: data((seeds) => seeds.publicPage()),
  })),
  ...sameLists.map(([name, query, expected]): WireCase => ({
    name: `the list with ${name}`,
    target: `/engines${query}`,
    expected,
  })),
  ...refusedLists.map(([name, query]): WireCase => ({
    name: `a list with ${name}`,
    target: `/engines?${query}`,
    expected: refused.invalid,
  })),
];
