// Rows: TLS peers with the wrong identity.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { silent } from "../Acts.ts";
import type { FaultRow } from "../FaultRow.ts";

/** A certificate that nobody but itself vouches for; undefined where no openssl is there to make it. */
const selfSigned = (): { readonly key: string; readonly cert: string } | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "fault-tls-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    execFileSync("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const row = (name: string, start: () => Server): FaultRow => ({
  name,
  act: silent,
  baseUrl: async (_server, defer) => {
    const server = start().listen(0, "127.0.0.1");
    await once(server, "listening");
    defer(async () => {
      server.close();
      await once(server, "close");
    });
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1/dev`;
  },
  // It will be no better in a second.
  expected: {
    ends: "Unreachable",
    says: /TLS certificate or handshake is not acceptable/,
    attempts: 1,
    arrived: 0,
    waitedMs: 0,
  },
});

const certificate = selfSigned();

export const tls: ReadonlyArray<FaultRow> = [
  row("https to a server of plain HTTP", () => createHttpServer()),
  row("TLS without a certificate", () => createTlsServer()),
  ...(certificate === undefined
    ? []
    : [row("TLS with a certificate of its own making", () => createTlsServer(certificate))]),
];
