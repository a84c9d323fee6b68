// Engines of the wire cases, as literal JSON.
import type { JsonObject } from "@bufbuild/protobuf";

/** The users of the table. `carol` owns nothing. */
export const users = ["alice", "bob", "carol"] as const;
export type UserName = (typeof users)[number];

/** The access token of a user of the table. */
export const tokenOf = (user: UserName): string => `conformance-${user}-0123456789abcdef`;

/** The owner's id is made by the registry; the table knows it once the registry runs. */
export type OwnerIds = Readonly<Record<UserName, string>>;

/** An engine without what depends on its owner. */
export type EngineJson = JsonObject & { readonly name: string; readonly version: string };

let serial = 0;

/** A plain engine; the later it is in the source, the later it was created. */
const engine = (name: string, version: string, rest: JsonObject = {}): EngineJson => {
  serial += 1;
  return {
    id: `00000000-0000-4000-8000-${`${serial}`.padStart(12, "0")}`,
    name,
    version,
    owner: "",
    type: "partitioner",
    status: "active",
    description: "",
    hash: "",
    link: "",
    entrypoint: "main.py",
    revision: 1,
    createdAt: `2025-01-01T00:00:${`${serial}`.padStart(2, "0")}Z`,
    updatedAt: "2025-02-01T00:00:00Z",
    deletedAt: null,
    platform: "docker",
    platformConfig: null,
    deviceRequirements: null,
    isPublic: false,
    userName: "",
    ...rest,
  };
};

const container = (rest: JsonObject): JsonObject => ({
  container: "",
  privateImage: false,
  username: "",
  token: "",
  secrets: [],
  ...rest,
});

const hardware = (minCpu: number, minMemory: number, gpu: Array<string> = []): JsonObject => ({
  minCpu,
  minMemory,
  gpu,
});

/** Text that some layer would like to change: quotes, escapes, controls, directions, joiners, planes beyond the first. */
export const awkwardText =
  '"quoted" \\ / \b\f\n\r\t \u0000\u001f\u007f\u0085 \u2028\u2029 é e\u0301 ß İ ſ 漢字 👩‍👩‍👧‍👦 🏳️‍🌈 𝕏 \u{10FFFF} \uFEFF \u200F\u202Eabc\u202C <script>&amp;</script> 100% a+b';

/** Secret of a container registry: only the owner of the engine may read it. */
export const pullSecret = "conformance-pull-secret";

/** Length of the large description, in characters of three bytes each. */
export const largeTextCharacters = 100_000;

/** All engines by their owner, in the order of their creation. */
export const engines: Readonly<Record<UserName, ReadonlyArray<EngineJson>>> = {
  alice: [
    engine("plain", "0.1", { type: "", entrypoint: "", platform: "" }),
    engine("full", "1.2", {
      type: "assembler",
      status: "inactive",
      description: "Joins the parts.",
      hash: "R/qio8oHURdKeuvSkP0w8gH83KC+A47BUC+c4uTRBxY=",
      link: "https://downloads.example/full-1.2.zip?sig=a%2Bb&exp=1#top",
      entrypoint: "app/main.py",
      revision: 2_147_483_647,
      updatedAt: "2025-02-01T10:20:30.123456789Z",
      platformConfig: container({
        container: "images.example/full:1.2",
        privateImage: true,
        username: "puller",
        token: pullSecret,
        secrets: ["A", "B", "A"],
      }),
      deviceRequirements: hardware(2, 4, ["tesla t4", "nvidia a100-sxm4-40gb"]),
      isPublic: true,
    }),
    engine("versions", "0.9"),
    engine("versions", "0.10"),
    engine("versions", "1.0", { status: "inactive" }),
    engine("versions", "1.2"),
    engine("versions", "10.0", { description: "ten is later than two" }),
    engine("versions", "2.99"),
    engine("awkward", "0.1", {
      description: awkwardText,
      platformConfig: container({ container: awkwardText, secrets: ["", awkwardText] }),
      deviceRequirements: hardware(0, 0, ["", awkwardText]),
    }),
    engine("large", "0.1", { description: "漢".repeat(largeTextCharacters) }),
    engine("floats", "0.1", { deviceRequirements: hardware(0.1, 0.30000004) }),
    engine("floats", "0.2", { deviceRequirements: hardware(16_777_216, 1e-45) }),
    engine("floats", "0.3", { deviceRequirements: hardware(3.4028235e38, -0.5) }),
    engine("nested", "0.1", { platformConfig: container({}), deviceRequirements: hardware(0, 0) }),
    engine("times", "0.1", { updatedAt: "0001-01-01T00:00:00Z" }),
    engine("times", "0.2", { updatedAt: "9999-12-31T23:59:59.999999999Z" }),
    engine("times", "0.3", { updatedAt: "1969-12-31T23:59:59.500Z" }),
    engine("-_9aZ".padEnd(64, "x"), "999999999.999999999"),
  ],
  bob: [
    engine("plain", "0.1", { description: "bob's own of the same name" }),
    engine("private", "3.1", { description: "only bob sees it" }),
    engine("offered", "0.1", { isPublic: true }),
    engine("offered", "0.2", { description: "not public yet" }),
  ],
  carol: [],
};
