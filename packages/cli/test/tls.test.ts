import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bne, makeHome, type Home } from "./Bne.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

let registry: TestRegistry;
let home: Home;
let server: Server;
let env: Record<string, string>;
let trusted: Record<string, string>;

beforeAll(async () => {
  registry = await startRegistry();
  home = makeHome();
  if (!hasOpenssl) return;
  const [key, certificate] = [join(home.path, "key.pem"), join(home.path, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  spawnSync("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "30",
    "-keyout",
    key,
    "-out",
    certificate,
    ...subject,
  ]);
  // The registry behind TLS.
  server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (incoming, outgoing) => {
    request(registry.origin + (incoming.url ?? ""), { headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    }).end();
  }).listen(0, "localhost");
  await once(server, "listening");
  const port = (server.address() as AddressInfo).port;
  env = { BYTENITE_BASE_URL: `https://localhost:${port}/v1/dev`, BYTENITE_TOKEN: "local-alice" };
  trusted = { ...env, NODE_EXTRA_CA_CERTS: certificate };
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
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
