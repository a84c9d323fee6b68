// Redaction of credentials.

/** Shorter tokens are not secrets, and would redact innocent words. */
const minSecretLength = 6;

/** Headers that carry credentials. */
const credentialName = /authorization|cookie|token|secret|session|signature|api-?key|(?:^|-)(?:auth|key|password)$/i;

/** Whether a header carries a credential. */
export const isCredential = (name: string): boolean => credentialName.test(name);

/** The credentials in a request: of its headers, and of its query where that is not the one of `plainUrl`. */
export const credentialsIn = (
  url: string,
  headers: Readonly<Record<string, string>>,
  plainUrl = url,
): ReadonlyArray<string> => {
  const secrets = Object.entries(headers).flatMap(([name, value]) =>
    isCredential(name) ? (/cookie/i.test(name) ? cookieValues(value) : [value]) : [],
  );
  return url === plainUrl ? secrets : [...secrets, ...addedToQuery(url, plainUrl)];
};

const cookieValues = (value: string): ReadonlyArray<string> =>
  value.split(";").map((pair) => pair.slice(pair.indexOf("=") + 1).trim());

const addedToQuery = (url: string, plainUrl: string): ReadonlyArray<string> => {
  if (!URL.canParse(url)) return [];
  const known = new Set(new URL(plainUrl).searchParams.values());
  return [...new URL(url).searchParams.values()].filter((value) => !known.has(value));
};

/** Redacts the secrets in a text, also without their scheme, in JSON, or in a URL. */
export const redact = (text: string, secrets: ReadonlyArray<string>): string => {
  let redacted = text;
  for (const secret of secrets) {
    const bare = secret.trim().split(" ").at(-1) ?? "";
    if (bare.length < minSecretLength) continue;
    for (const form of new Set(formsOf(bare))) redacted = redacted.replaceAll(form, "<redacted>");
  }
  return redacted;
};

/** A secret as it is, in JSON, in a part of a URL, and in the query of one that a server has not escaped. */
const formsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  unescapedQuery(secret),
  ...base64Forms(secret),
];

/** Shortest base64 that is looked for: less would redact innocent words. */
const minBase64Length = 8;

/** The base64 of a secret that stands anywhere in a longer text: of each of the three alignments what depends on the secret only. */
const base64Forms = (secret: string): ReadonlyArray<string> => {
  if (!/^[\x20-\x7e]*$/.test(secret)) return [];
  // Where the first character stands in base64 that depends on nothing before the secret.
  return [0, 2, 3].flatMap((start, before) => {
    const end = Math.floor(((before + secret.length) * 8) / 6);
    const form = btoa("\0".repeat(before) + secret).slice(start, end);
    return form.length < minBase64Length ? [] : [form, form.replaceAll("+", "-").replaceAll("/", "_")];
  });
};

/** What a URL makes of it where only the characters are escaped that cannot be in one. */
const unescapedQuery = (secret: string): string => {
  const url = new URL("http://localhost/");
  url.search = `=${secret}`;
  return url.search.slice(2);
};
