// Rows: TLS peers with the wrong identity.
import { createServer as createHttpServer } from "node:http";
import type { Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { hasOpenssl, selfSigned } from "@bytenite-engines/test-kit/certificate";
import { close, listen } from "@bytenite-engines/test-kit/ports";
import { silent } from "../Acts.ts";
import type { FaultRow } from "../FaultRow.ts";

const row = (name: string, start: () => Server): FaultRow => ({
  name,
  act: silent,
  baseUrl: async (_server, defer) => {
    const server = start();
    const { host } = new URL(await listen(server));
    defer(() => close(server));
    return `https://${host}/v1/dev`;
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

export const tls: ReadonlyArray<FaultRow> = [
  row("https to a server of plain HTTP", () => createHttpServer()),
  row("TLS without a certificate", () => createTlsServer()),
  ...(hasOpenssl ? [row("TLS with a certificate of its own making", () => createTlsServer(selfSigned()))] : []),
];
