// Decides: what a stored secret is, and to where it may be sent.
import { UsageError } from "../UsageError.ts";

/** An access token, or an API key that is exchanged for one. */
export type SecretKind = "token" | "api-key";

/** A secret as it is stored: bound to the base URL for which it was given. */
export interface StoredSecret {
  readonly kind: SecretKind;
  readonly secret: string;
  readonly baseUrl: string;
}

/** A stored secret in its text, or undefined when the text is none. */
export const parseSecret = (text: string): StoredSecret | undefined => {
  try {
    const { kind, secret, baseUrl } = JSON.parse(text) as Record<string, unknown>;
    return (kind === "token" || kind === "api-key") && typeof secret === "string" && typeof baseUrl === "string"
      ? { kind, secret, baseUrl }
      : undefined;
  } catch {
    return undefined;
  }
};

/** Whether a URL is on this machine. */
export const isLoopback = (url: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);

/** A stored secret goes to the origin that it was stored for and to no other. Throws UsageError. */
export const assertBound = ({ baseUrl }: StoredSecret, target: string, profileName: string): void => {
  if (new URL(baseUrl).origin === new URL(target).origin) return;
  throw new UsageError(
    `The credentials of profile ${profileName} are for ${new URL(baseUrl).origin}, not for ${new URL(target).origin}, so they are not sent there`,
    `Log in for it: bne auth login --profile NAME --base-url ${target}`,
  );
};
