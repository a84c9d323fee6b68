// Cases for get and status: tags, content, parameters of bytes.
import { data, refused, type Expected, type WireCase } from "../Case.ts";
import { engines, type UserName } from "../Engines.ts";

/** The same tag asked for as an engine and as a status. */
const both = (
  name: string,
  tag: string,
  found: readonly [owner: UserName, tag: string] | Expected,
  rest: Partial<WireCase> & { readonly segment?: string } = {},
): ReadonlyArray<WireCase> => {
  const { segment = tag, ...others } = rest;
  const expected = (kind: "engine" | "status"): Expected =>
    "length" in found ? data((seeds) => seeds[kind](...found)) : found;
  return [
    { name, call: { endpoint: "get", tag }, target: `/engines/${segment}`, expected: expected("engine"), ...others },
    {
      name: `${name}, its status`,
      call: { endpoint: "status", tag },
      target: `/engines/${segment}/status`,
      expected: expected("status"),
      ...others,
    },
  ];
};

const longName = "-_9aZ".padEnd(64, "x");

/** Tags without the caller's side: what stands in the path is not what core would send. */
const raw = (name: string, segment: string, expectedOfProxy: Expected): ReadonlyArray<WireCase> => {
  // The registry answers as grpc-gateway, for which there is no such path; the proxy says what is wrong with it.
  const answers = { expected: refused.notFound, expectedOfProxy };
  return [
    { name, target: `/engines/${segment}`, ...answers },
    { name: `${name}, its status`, target: `/engines/${segment}/status`, ...answers },
  ];
};

const withParameters = [
  ["in base64", "engineData=AAECAw%3D%3D"],
  ["in base64 with + and /", "engineData=%2B%2F%2B%2F"],
  ["in base64 with a bare +", "engineData=+/+/"],
  ["in URL-safe base64", "engineData=-_-_"],
  ["in base64 without padding", "engineData=AAECAw"],
  ["that are empty", "engineData="],
  ["of every kind", "engineId=x&engineLink=https://a.example/?b%3Dc&engineStatus=active&engineData=AA%3D%3D"],
  ["by proto names", "engine_id=x&engine_link=y&engine_status=z&engine_data=AA%3D%3D"],
  ["of the path, which the path decides", "engineTag=full@1.2"],
] as const;

export const singleEngines: ReadonlyArray<WireCase> = [
  ...(["alice", "bob"] as const).flatMap((owner) =>
    engines[owner].flatMap(({ name, version }) => {
      const tag = `${name}@${version}`;
      const shown = tag.length > 40 ? "the longest name and version" : tag;
      return both(`${shown} of ${owner}`, tag, [owner, tag], { as: owner });
    }),
  ),
  ...both("a name: its highest version", "versions", ["alice", "versions@10.0"]),
  ...both("a name and 0: 0.10 is later than 0.9", "versions@0", ["alice", "versions@0.10"]),
  ...both("a name and 1: an inactive minor does not count more", "versions@1", ["alice", "versions@1.2"]),
  ...both("a name and 2", "versions@2", ["alice", "versions@2.99"]),
  ...both("an escaped @", "versions@0.9", ["alice", "versions@0.9"], { segment: "versions%400.9" }),
  ...both("an escaped name", "plain", ["alice", "plain@0.1"], { segment: "%70lai%6E" }),
  ...both("a public engine of another user", "offered@0.1", ["bob", "offered@0.1"]),
  ...both("a name of another user, of which one version is public", "offered", ["bob", "offered@0.1"]),
  ...both("one's own before another's", "plain", ["bob", "plain@0.1"], { as: "bob" }),
  ...both("a private engine of another user", "private@3.1", refused.notFound),
  ...both("a private version of another user", "offered@0.2", refused.notFound),
  ...both("a name that nobody has", "nothing", refused.notFound),
  ...both("a minor that does not exist", "versions@0.11", refused.notFound),
  ...both("a major that does not exist", "versions@3", refused.notFound),
  ...both("a name in other letters", "PLAIN", refused.notFound),
  ...both("the longest name, cut", longName.slice(0, 63), refused.notFound),
  ...both("a tag with three parts", "versions@1.2.3", refused.invalid),
  ...both("a tag with words for a version", "versions@latest", refused.invalid),
  ...both("a tag with nothing after the @", "versions@", refused.invalid),
  ...both("a tag without a name", "@1.2", refused.invalid, { segment: "@1.2" }),
  ...both("a tag with a leading zero", "versions@01.2", refused.invalid),
  ...both("a name that is too long", "x".repeat(65), refused.invalid),
  ...both("a name with a space", "two words", refused.invalid, { segment: "two%20words" }),
  ...both("a name beyond ASCII", "Mühle", refused.invalid, { segment: "M%C3%BChle" }),
  ...raw("no tag at all", "", refused.notFound),
  ...raw("an escaped slash", "plain%2F0.1", refused.invalid),
  ...raw("an escaped way up", "%2e%2e", refused.invalid),
  ...raw("a malformed escape", "plain%4", refused.invalid),
  ...raw("an escape that is not UTF-8", "plain%FF", refused.invalid),
  {
    name: "a public engine with a secret, asked for by another user",
    as: "bob",
    call: { endpoint: "get", tag: "full@1.2" },
    target: "/engines/full@1.2",
    expected: data((seeds) => seeds.publicEngine("alice", "full@1.2")),
  },
  ...withParameters.flatMap(([name, query]): ReadonlyArray<WireCase> => [
    {
      name: `an engine asked for with parameters ${name}`,
      target: `/engines/full@1.2?${query}`,
      expected: data((seeds) => seeds.engine("alice", "full@1.2")),
    },
    {
      name: `a status asked for with parameters ${name}`,
      target: `/engines/full@1.2/status?${query}`,
      expected: data((seeds) => seeds.status("alice", "full@1.2")),
    },
  ]),
  {
    name: "an engine asked for with every documented parameter, through core",
    call: {
      endpoint: "get",
      tag: "full@1.2",
      params: {
        engineId: "x & y",
        engineLink: "https://a.example/?b=c#d",
        engineStatus: "ä",
        engineData: new Uint8Array(256).map((_, index) => index),
      },
    },
    expected: data((seeds) => seeds.engine("alice", "full@1.2")),
  },
  ...["engineData=!!!!", "engineData=AA%3D%3D&engineData=AA%3D%3D", "engineId=a&engine_id=b", "engineLink=%"].map(
    (query): WireCase => ({
      name: `an engine asked for with ${query}`,
      target: `/engines/full@1.2?${query}`,
      expected: refused.invalid,
    }),
  ),
];
