// Decides: until when an access token lives, as far as it says so itself.

/** The `exp` of a JWT (RFC 7519, 4.1.4) in milliseconds since 1970, or undefined. The signature is not looked at. */
export const expiryMsOf = (token: string): number | undefined => {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
};
