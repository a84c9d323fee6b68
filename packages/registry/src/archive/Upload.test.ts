import { expect, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import type { ApiError } from "../api/ApiError.ts";
import type { Credential } from "../api/Authentication.ts";
import type { SqlDriver } from "../api/SqlDriver.ts";
import { defaultUploadLimits, makeUpload, publicUrlProblem, type UploadOptions } from "./Upload.ts";

const by = { user: { number: 1, id: "u", name: "carol" } } as unknown as Credential;

/** The refusal of an upload of this declared length, and whether its body was read. */
const refusal = async (
  type: "json" | "x-protobuf",
  length: number,
  archiveBytes: number,
  usage: Readonly<Record<string, number | null>> = {},
): Promise<readonly [status: number, message: string, isRead: boolean]> => {
  let isRead = false;
  const fields: Readonly<Record<string, string>> = {
    "content-type": `application/${type}`,
    "content-length": String(length),
  };
  const head = {
    header: (name: string) => fields[name] ?? null,
    chunks: async function* () {
      isRead = true;
      yield new Uint8Array();
    },
  } as unknown as RequestHead;
  const sql = { read: async () => [[{ live_engines: 2, max_engines: 3, used_bytes: 5, max_bytes: null, ...usage }]] };
  const limits = { ...defaultUploadLimits, archiveBytes };
  const upload = makeUpload({ limits, now: () => 0 } as unknown as UploadOptions);
  try {
    await upload(sql as unknown as SqlDriver, head, by);
  } catch (error) {
    return [(error as ApiError).status, (error as Error).message, isRead];
  }
  return [200, "", isRead];
};

test.for([
  ["x-protobuf", 10, 65_536 + 10],
  ["json", 10, 65_536 + 16],
  ["json", 12, 65_536 + 16],
] as const)("a body of %s for archives of %i bytes has at most %i", async ([type, archiveBytes, longest]) => {
  expect(await refusal(type, longest, archiveBytes)).toMatchObject([400, /^$|./, true]);
  expect(await refusal(type, longest + 1, archiveBytes)).toMatchObject([
    413,
    expect.stringContaining(`${longest}`),
    false,
  ]);
});

test.for([
  ["x-protobuf", 65_536 + 100],
  ["json", 87_515],
] as const)(
  "more than the quota for certain is refused before the body of %s, from %i bytes on",
  async ([type, length]) => {
    const archiveBytes = 1_000_000;
    expect((await refusal(type, length, archiveBytes, { max_bytes: 100 }))[2]).toBe(true);
    expect(await refusal(type, length + 1, archiveBytes, { max_bytes: 100 })).toEqual([
      400,
      "quota exceeded: 2 of 3 engines, 5 of 100 bytes of archives; delete engines, or ask the registry's operator for more",
      false,
    ]);
    expect((await refusal(type, length + 1, archiveBytes, { max_bytes: null }))[2]).toBe(true);
    const none = await refusal(type, 10, archiveBytes, { max_bytes: 0, max_engines: null });
    expect(none[2]).toBe(true);
  },
);

test("the limits are those of the README", () => {
  expect(defaultUploadLimits).toEqual({
    archiveBytes: 64 * 2 ** 20,
    unpackedBytes: 256 * 2 ** 20,
    uploads: 16,
    uploadsPerUser: 4,
  });
});

test("links begin with a plain URL", () => {
  for (const url of ["https://engines.example", "http://127.0.0.1:1/x"]) expect(publicUrlProblem(url)).toBeUndefined();
  for (const url of ["x", "ftp://a", "https://a/?b", "https://a/#b", "https://b@a/"]) {
    expect(publicUrlProblem(url)).toBe(`"${url}" is not a URL as https://engines.example`);
  }
  expect(publicUrlProblem("x".repeat(201))).toContain(`"${"x".repeat(200)}" is not`);
});
