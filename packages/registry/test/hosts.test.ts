// Allowed hosts, against DNS rebinding.
import { request, type IncomingMessage } from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

interface Got {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: Buffer;
}

/** What is answered to a request for a host, whatever address it is sent to. */
const asked = (origin: string, host: string, path: string, headers: Record<string, string> = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    const given = { Authorization: "local-alice", ...headers, Host: host };
    const answered = async (response: IncomingMessage): Promise<void> => {
      const body = Buffer.concat(await response.toArray());
      resolve({ status: response.statusCode, type: response.headers["content-type"], body });
    };
    request(origin + path, { headers: given }, (response) => void answered(response).catch(reject))
      .once("error", reject)
      .end();
  });

const statusOf = async (origin: string, host: string, path = "/v1/dev/engines"): Promise<number | undefined> =>
  (await asked(origin, host, path)).status;

const ours = ["localhost", "LocalHost:4010", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]:4010", "[::1]"];

const foreign = [
  "evil.example",
  "evil.example:4010",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "192.168.0.1",
  "0.0.0.0:4010",
  "[::ffff:1.2.3.4]",
  "127.0.0.1:4010@evil.example",
  "::1]",
];

test("a trial answers to names of loopback with any port, and 421 to all others", async () => {
  const registry = await serve([...fresh(), "--faults", "on", "--access-log", "stderr"]);
  for (const host of ours) expect([host, await statusOf(registry.origin, host)]).toEqual([host, 200]);
  for (const host of foreign) expect([host, await statusOf(registry.origin, host)]).toEqual([host, 421]);
  for (const path of ["/v1/dev/engines/zipper", "/v1/auth/access_token", "/docs", "/metrics", "/faults", "/nothing"]) {
    expect([path, await statusOf(registry.origin, "evil.example", path)]).toEqual([path, 421]);
  }
  // Says nothing that a stranger may not know, and is asked by machines that know addresses only.
  expect(await statusOf(registry.origin, "10.0.0.7:4010", "/readyz")).toBe(200);
  expect(registry.output.stderr).toMatch(/"path":"\/v1\/dev\/engines","status":421,/);
});

test("the refusal is a Status in the form that was asked for", async () => {
  const registry = await serve(fresh());
  const message = "Host not allowed: add it with --allowed-hosts";
  const json = await asked(registry.origin, "evil.example", "/v1/dev/engines");
  expect([json.type, JSON.parse(json.body.toString())]).toEqual([
    "application/json",
    { code: 9, message, details: [] },
  ]);
  const binary = await asked(registry.origin, "evil.example", "/v1/dev/engines", { Accept: "application/x-protobuf" });
  expect(binary.type).toBe("application/x-protobuf");
  expect(fromBinary(StatusSchema, binary.body)).toMatchObject({ code: 9, message });
});

test("further hosts are answered by a flag or by the environment, but not with the tokens of a trial", async () => {
  const byFlag = await serve([...fresh(), "--allowed-hosts", "engines.test, Other.test"]);
  const byVariable = await serve(fresh(), { REGISTRY_ALLOWED_HOSTS: "engines.test:80,other.test" });
  for (const { origin } of [byFlag, byVariable]) {
    expect(await statusOf(origin, "engines.test:8080")).toBe(401);
    expect(await statusOf(origin, "other.test", "/metrics")).toBe(200);
    expect(await statusOf(origin, "localhost")).toBe(401);
    expect(await statusOf(origin, "evil.example")).toBe(421);
  }
  const every = await serve([...fresh(), "--allowed-hosts", "*"]);
  expect(await statusOf(every.origin, "evil.example")).toBe(401);
});

test("without allowedHosts only names of loopback, the listening address and publicUrl are answered", async () => {
  const settings = join(directory, "settings.json");
  const tokens = { REGISTRY_TOKENS: JSON.stringify({ carol: "local-alice-of-this-test" }) };
  const headers = { Authorization: "local-alice-of-this-test" };
  const statusFor = async (origin: string, host: string): Promise<number | undefined> =>
    (await asked(origin, host, "/v1/dev/engines", headers)).status;
  const configured = async (content: object) => {
    await writeFile(settings, JSON.stringify(content));
    return serve([...fresh(), "--config", settings], tokens);
  };
  const local = await configured({ faults: "on" });
  expect(await statusFor(local.origin, "evil.example")).toBe(421);
  expect(await statusFor(local.origin, "localhost:1")).toBe(200);
  expect(await statusOf(local.origin, "evil.example", "/readyz")).toBe(200);
  const published = await configured({ faults: "on", publicUrl: "https://engines.example/" });
  expect(await statusFor(published.origin, "engines.example:8443")).toBe(200);
  expect(await statusFor(published.origin, "evil.example")).toBe(421);
  for (const path of ["/metrics", "/faults"]) {
    expect([path, await statusOf(published.origin, "engines.example", path)]).toEqual([path, 421]);
    expect([path, await statusOf(published.origin, "localhost:4010", path)]).toEqual([path, 200]);
  }
  const open = await configured({ host: "0.0.0.0" });
  const onOpen = open.origin.replace("0.0.0.0", "127.0.0.1");
  expect(await statusFor(onOpen, "evil.example")).toBe(200);
  expect(open.output.stderr).toMatch(/any Host are answered: set publicUrl or allowedHosts/);
  const narrow = await configured({ host: "0.0.0.0", publicUrl: "https://engines.example/" });
  const onNarrow = narrow.origin.replace("0.0.0.0", "127.0.0.1");
  for (const host of ["0.0.0.0", "engines.example", "127.0.0.1"]) {
    expect([host, await statusFor(onNarrow, host)]).toEqual([host, 200]);
  }
  expect(await statusFor(onNarrow, "evil.example")).toBe(421);
});

test("allowedHosts in the file narrows it; what no Host can name is refused", async () => {
  const settings = join(directory, "settings.json");
  const tokens = { REGISTRY_TOKENS: JSON.stringify({ carol: "local-alice-of-this-test" }) };
  const headers = { Authorization: "local-alice-of-this-test" };
  await writeFile(settings, JSON.stringify({ allowedHosts: ["engines.example", "[2001:db8::1]:80"] }));
  const narrowed = await serve([...fresh(), "--config", settings], tokens);
  for (const [host, status] of [
    ["engines.example", 200],
    ["[2001:db8::1]", 200],
    ["evil.example", 421],
  ] as const) {
    expect([host, (await asked(narrowed.origin, host, "/v1/dev/engines", headers)).status]).toEqual([host, status]);
  }
  await writeFile(settings, JSON.stringify({ allowedHosts: "engines.example" }));
  expect((await run(["serve", "--config", settings])).stderr).toMatch(/settings\.json: \/allowedHosts must be array/);
  await writeFile(settings, JSON.stringify({ allowedHosts: ["https://a/"] }));
  const refused = await run(["serve", "--config", settings]);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/allowedHosts: "https:\/\/a\/" is not a host/),
  ]);
});
