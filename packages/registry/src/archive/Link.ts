// Signed links to archives: for one archive, for some minutes.
import { deriveKeyBytes } from "../api/SecretBox.ts";

/** The path below which archives are downloaded. */
export const archivesPath = "/archives";

/** Seconds that a link lives. */
export const linkSeconds = 10 * 60;

/** Makes links and checks them. */
export interface Links {
  /** A path with a query, for an archive. */
  readonly sign: (key: string, nowMs: number) => Promise<string>;
  /** The key of the archive that a path and query lead to, or undefined where they are altered, expired or none of ours. */
  readonly verify: (path: string, query: URLSearchParams, nowMs: number) => Promise<string | undefined>;
}

const utf8 = new TextEncoder();

const hmac = { name: "HMAC", hash: "SHA-256" } as const;

/** What a signature is made of. */
const signed = (archive: string, expires: number): Uint8Array<ArrayBuffer> => utf8.encode(`${archive}\n${expires}`);

/** Links under a key derived from the operator's, or under one that ends with this process. */
export const makeLinks = async (operatorKey: string | undefined): Promise<Links> => {
  const bytes =
    operatorKey === undefined
      ? crypto.getRandomValues(new Uint8Array(32))
      : await deriveKeyBytes(operatorKey, "archive links");
  const key = await crypto.subtle.importKey("raw", bytes, hmac, false, ["sign", "verify"]);
  return {
    sign: async (archive, nowMs) => {
      const expires = Math.floor(nowMs / 1_000) + linkSeconds;
      const signature = new Uint8Array(await crypto.subtle.sign(hmac, key, signed(archive, expires)));
      const text = btoa(String.fromCharCode(...signature))
        .replaceAll("+", "-")
        .replaceAll("/", "_")
        .replaceAll("=", "");
      return `${archivesPath}/${archive}?expires=${expires}&signature=${text}`;
    },
    verify: async (path, query, nowMs) => {
      const archive = path.slice(archivesPath.length + 1);
      const expires = query.get("expires") ?? "";
      const text = query.get("signature") ?? "";
      if (!/^[0-9a-f-]{36}$/.test(archive) || !/^\d{1,12}$/.test(expires) || !/^[\w-]{43}$/.test(text))
        return undefined;
      const signature = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) =>
        character.charCodeAt(0),
      );
      const isOurs = await crypto.subtle.verify(hmac, key, signature, signed(archive, Number(expires)));
      return isOurs && nowMs < Number(expires) * 1_000 ? archive : undefined;
    },
  };
};
