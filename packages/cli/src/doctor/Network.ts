// Looks at the way to the server: its name, its TLS.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { connect, type PeerCertificate } from "node:tls";
import { isLoopback } from "../settings/Secret.ts";
import { found, type Check } from "./Check.ts";

/** A certificate that ends sooner than this is not well, in days. */
const leastCertificateDays = 7;
const dayMs = 86_400_000;

/** Whether the host of a URL has a name, and what it means. */
export const checkName = async (url: URL): Promise<Check> => {
  const host = url.hostname.replaceAll(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return found("name", "ok", "an address, no name", host);
  try {
    const addresses = await lookup(host, { all: true });
    return found("name", "ok", addresses.map(({ address }) => address).join(", "), host);
  } catch (error) {
    const { code } = error as { code?: string };
    const hint = "point elsewhere with --base-url URL, BYTENITE_BASE_URL or `bne profile set NAME --base-url URL`";
    return found("name", "failed", `does not resolve (${code ?? "unknown"}); ${hint}`, host);
  }
};

/** Whether the connection is encrypted, and for how long the certificate holds. */
export const checkTls = async (url: URL, limitMs: number, signal: AbortSignal): Promise<Check> => {
  if (url.protocol === "http:") {
    return isLoopback(url.href)
      ? found("tls", "ok", "plain HTTP, which does not leave this machine")
      : found("tls", "failed", "plain HTTP: everybody on the way can read the token");
  }
  try {
    const { protocol, certificate } = await handshake(url, limitMs, signal);
    const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / dayMs);
    const detail = `${protocol}, certificate of ${[certificate.subject.CN].flat().join(", ")} ends in ${days} days`;
    return found("tls", days < leastCertificateDays ? "failed" : "ok", detail);
  } catch (error) {
    if (signal.aborted) throw error;
    const { code, message } = error as { code?: string; message: string };
    return found("tls", "failed", code === undefined ? message : `${message} (${code})`);
  }
};

const handshake = (
  url: URL,
  limitMs: number,
  signal: AbortSignal,
): Promise<{ readonly protocol: string; readonly certificate: PeerCertificate }> =>
  new Promise((resolve, reject) => {
    const host = url.hostname.replaceAll(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(url.port || 443), ...(isIP(host) === 0 ? { servername: host } : {}) });
    const stop = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`no handshake within ${limitMs} ms`)));
    socket.on("error", reject);
    socket.on("close", () => signal.removeEventListener("abort", stop));
    socket.on("secureConnect", () => {
      resolve({ protocol: socket.getProtocol() ?? "unknown", certificate: socket.getPeerCertificate() });
      socket.end();
    });
  });
