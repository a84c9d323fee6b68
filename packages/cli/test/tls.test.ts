import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { hasOpenssl, selfSigned } from "@bytenite-engines/test-kit/certificate";
import { pass, startServer, type LocalServer } from "@bytenite-engines/test-kit/ports";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bne, makeHome, type Home } from "./Bne.ts";

let registry: TestRegistry;
let home: Home;
let server: LocalServer | undefined;
let env: Record<string, string>;
let trusted: Record<string, string>;

beforeAll(async () => {
  registry = await startRegistry();
  home = makeHome();
  if (!hasOpenssl) return;
  const certificate = selfSigned();
  const file = join(home.path, "cert.pem");
  writeFileSync(file, certificate.cert);
  // The registry behind TLS.
  server = await startServer(
    (incoming, outgoing) => pass(incoming, outgoing, registry.origin + (incoming.url ?? "")),
    certificate,
  );
  env = { BYTENITE_BASE_URL: server.baseUrl, BYTENITE_TOKEN: "local-alice" };
  trusted = { ...env, NODE_EXTRA_CA_CERTS: file };
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await registry.stop();
  home[Symbol.dispose]();
});

test.skipIf(!hasOpenssl)("over TLS everything is as it is without, also over several pages", async () => {
  const { code, stdout, stderr } = await bne(home, ["list", "--all", "--page-size", "2", "-o", "name"], {
    env: trusted,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trimEnd().split("\n")).toHaveLength(5);
});

test.skipIf(!hasOpenssl)("a certificate that nobody vouches for is 5, at once, and nothing is sent", async () => {
  registry.requests.length = 0;
  const { code, stderr } = await bne(home, ["list"], { env });
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /^bne: The TLS certificate or handshake of localhost:\d+ is not acceptable \(\w+\)\n`bne doctor` .*\n$/,
  );
  expect(registry.requests).toHaveLength(0);
});
