// Decides: how a token stays out of what is told of a call, where the server repeats it.

/** Shorter tokens are no secrets, and would blot out innocent words. */
const minSecretLength = 6;

/** The text without the secret, also where it stands without the scheme that it was sent with, or in a URL. */
export const blotted = (text: string, secret: string | undefined): string => {
  const bare = secret?.trim().split(" ").at(-1);
  if (bare === undefined || bare.length < minSecretLength) return text;
  const replaced = text.replaceAll(bare, "<redacted>");
  const escaped = encodeURIComponent(bare);
  return escaped === bare ? replaced : replaced.replaceAll(escaped, "<redacted>");
};
