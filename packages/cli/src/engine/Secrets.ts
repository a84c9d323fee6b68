// Signs of secrets in files that are about to be sent.

/** Names of files that usually hold secrets. */
const names: ReadonlyArray<readonly [name: RegExp, what: string]> = [
  [/^\.env(?:\..*)?$/i, "looks like a file of secrets"],
  [/^(?:\.netrc|_netrc|\.npmrc|\.pypirc|\.git-credentials|\.htpasswd|\.pgpass)$/i, "looks like a file of credentials"],
  [/^(?:credentials|secrets?)(?:\.(?:json|ya?ml|toml|ini|txt))?$/i, "looks like a file of credentials"],
  [/^id_(?:rsa|dsa|ecdsa|ed25519)$/i, "looks like a private SSH key"],
  [/\.(?:p12|pfx|jks|keystore|kdbx)$/i, "looks like a store of keys"],
];

/** Examples of such files, which hold none. */
const exampleName = /\.(?:example|sample|template|dist)$/i;

/** What tokens of well-known services begin with. */
const contents: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/, "holds a private key"],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/, "holds an access key of AWS"],
  [/\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{50,}/, "holds a token of GitHub"],
  [/\bglpat-[A-Za-z0-9_-]{20}/, "holds a token of GitLab"],
  [/\bnpm_[A-Za-z0-9]{36}\b/, "holds a token of npm"],
  [/\bxox[abeprs]-[A-Za-z0-9-]{20,}/, "holds a token of Slack"],
  [/\b[rs]k_live_[A-Za-z0-9]{20,}/, "holds a key of Stripe"],
  [/\bAIza[A-Za-z0-9_-]{35}\b/, "holds a key of Google"],
  [/\bhf_[A-Za-z0-9]{34}\b/, "holds a token of Hugging Face"],
];

/** Kind of secret that a file name suggests, or undefined. */
export const secretName = (path: string): string | undefined => {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return exampleName.test(name) ? undefined : names.find(([pattern]) => pattern.test(name))?.[1];
};

/** Kind of secret that a text looks like, or undefined. */
export const secretIn = (text: string): string | undefined => contents.find(([pattern]) => pattern.test(text))?.[1];
