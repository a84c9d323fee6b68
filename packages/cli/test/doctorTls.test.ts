// `bne doctor` with untrusted, trusted and expiring certificates.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { hasOpenssl, selfSigned } from "@bytenite-engines/test-kit/certificate";
import { pass, startServer } from "@bytenite-engines/test-kit/ports";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { as, bne, makeHome, type Home } from "./Bne.ts";

/** A certificate for localhost that holds for some days, and the file that it is in. */
const certify = (home: Home, days: number) => {
  const { key, cert } = selfSigned(days, "engines.test");
  const file = join(home.path, "cert.pem");
  writeFileSync(file, cert);
  return { key, cert, file };
};

/** TLS before a registry. */
const terminate = (registry: TestRegistry, { key, cert }: { readonly key: string; readonly cert: string }) =>
  startServer((incoming, outgoing) => pass(incoming, outgoing, registry.origin + (incoming.url ?? "")), { key, cert });

test.skipIf(!hasOpenssl).for<[days: number, trusted: boolean, code: number, said: RegExp]>([
  [90, false, 7, /tls +failed +self-signed certificate.*\(DEPTH_ZERO_SELF_SIGNED_CERT\)/],
  [90, true, 0, /tls +ok +TLSv1\.3, certificate of engines\.test ends in 89 days/],
  [3, true, 7, /tls +failed +TLSv1\.3, certificate of engines\.test ends in 2 days/],
])("a certificate of %d days, trusted: %s, ends with %d", async ([days, trusted, code, said]) => {
  await using registry = await startRegistry();
  using home = makeHome();
  const certificate = certify(home, days);
  await using front = await terminate(registry, certificate);
  const run = await bne(home, ["doctor"], {
    env: {
      ...as(registry, "bob"),
      BYTENITE_BASE_URL: front.baseUrl,
      ...(trusted ? { NODE_EXTRA_CA_CERTS: certificate.file } : {}),
    },
  });
  expect(run.stdout).toMatch(said);
  expect(run.stdout).toMatch(/name +localhost +ok/);
  expect(run.code).toBe(code);
});
