// `bne doctor` with untrusted, trusted and expiring certificates.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { as, bne, makeHome, type Home } from "./Bne.ts";

const withoutOpenssl = spawnSync("openssl", ["version"]).status !== 0;

/** A certificate for localhost that is its own authority, and holds for some days. */
const certify = (home: Home, days: number) => {
  const paths = { key: join(home.path, "key.pem"), cert: join(home.path, "cert.pem") };
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", String(days)];
  const named = ["-subj", "/CN=engines.test", "-addext", "subjectAltName=DNS:localhost"];
  spawnSync("openssl", ["req", "-x509", ...made, ...named, "-keyout", paths.key, "-out", paths.cert]);
  return paths;
};

/** TLS before a registry. */
const terminate = async (registry: TestRegistry, { key, cert }: { readonly key: string; readonly cert: string }) => {
  const server: Server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (incoming, outgoing) => {
    const passed = request(`${registry.origin}${incoming.url ?? ""}`, { headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}${new URL(registry.url).pathname}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

test.skipIf(withoutOpenssl).for<[days: number, trusted: boolean, code: number, said: RegExp]>([
  [90, false, 7, /tls +failed +self-signed certificate.*\(DEPTH_ZERO_SELF_SIGNED_CERT\)/],
  [90, true, 0, /tls +ok +TLSv1\.3, certificate of engines\.test ends in 89 days/],
  [3, true, 7, /tls +failed +TLSv1\.3, certificate of engines\.test ends in 2 days/],
])("a certificate of %d days, trusted: %s, ends with %d", async ([days, trusted, code, said]) => {
  await using registry = await startRegistry();
  using home = makeHome();
  const paths = certify(home, days);
  await using front = await terminate(registry, paths);
  const run = await bne(home, ["doctor"], {
    env: {
      ...as(registry, "bob"),
      BYTENITE_BASE_URL: front.url,
      ...(trusted ? { NODE_EXTRA_CA_CERTS: paths.cert } : {}),
    },
  });
  expect(run.stdout).toMatch(said);
  expect(run.stdout).toMatch(/name +localhost +ok/);
  expect(run.code).toBe(code);
});
