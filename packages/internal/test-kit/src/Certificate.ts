// Self-signed certificates, made by openssl.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether openssl is there. */
export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** A private key and a certificate for localhost that is its own authority, as PEM; throws without openssl. */
export const selfSigned = (days = 30, subject = "localhost"): { readonly key: string; readonly cert: string } => {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", `${days}`];
    const names = ["-subj", `/CN=${subject}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const { status, stderr } = spawnSync("openssl", ["req", ...kind, ...names, "-keyout", key, "-out", cert]);
    if (status !== 0) throw new Error(`openssl: ${String(stderr)}`);
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
};
