// Signed links to archives: for one archive, for some minutes.
import { deriveKeyBytes, importKey, passingKey } from "../api/SecretBox.ts";

/** The path below which archives are downloaded. */
export const archivesPath = "/archives";

/** Seconds that a link lives. */
export const linkSeconds = 10 * 60;

/** Content of a link. */
export interface Linked {
  /** The key of the archive. */
  readonly archive: string;
  /** Whether it was made for the owner; others download public engines only. */
  readonly isOwners: boolean;
}

/** Makes links and checks them. */
export interface Links {
  /** A path with a query. */
  readonly sign: (linked: Linked, nowMs: number) => Promise<string>;
  /** The content of a path and query; undefined if altered, expired or foreign. */
  readonly verify: (path: string, query: URLSearchParams, nowMs: number) => Promise<Linked | undefined>;
}

const utf8 = new TextEncoder();

const hmac = { name: "HMAC", hash: "SHA-256" } as const;

/** Signed text of a link. */
const signed = ({ archive, isOwners }: Linked, expires: number): Uint8Array<ArrayBuffer> =>
  utf8.encode(`${archive}\n${expires}\n${isOwners ? "owner" : "public"}`);

/** Links under a key derived from the operator's, or under one that ends with this process. */
export const makeLinks = async (operatorKey: string | undefined): Promise<Links> => {
  const bytes = await deriveKeyBytes(operatorKey ?? passingKey(), "archive links");
  const key = await importKey(bytes, hmac, ["sign", "verify"]);
  return {
    sign: async (linked, nowMs) => {
      const expires = Math.floor(nowMs / 1_000) + linkSeconds;
      const signature = new Uint8Array(await crypto.subtle.sign(hmac, key, signed(linked, expires)));
      const text = btoa(String.fromCharCode(...signature))
        .replaceAll("+", "-")
        .replaceAll("/", "_")
        .replaceAll("=", "");
      const whose = linked.isOwners ? "" : "&for=public";
      return `${archivesPath}/${linked.archive}?expires=${expires}${whose}&signature=${text}`;
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
      const linked: Linked = { archive, isOwners: query.get("for") !== "public" };
      const isOurs = await crypto.subtle.verify(hmac, key, signature, signed(linked, Number(expires)));
      return isOurs && nowMs < Number(expires) * 1_000 ? linked : undefined;
    },
  };
};
