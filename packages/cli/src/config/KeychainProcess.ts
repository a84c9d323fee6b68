// Keychain process: request on stdin, response on stdout.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

/** Request. Secrets are passed by stdin and stdout, never as arguments. */
export type KeychainQuestion =
  | { readonly action: "get" | "remove"; readonly account: string }
  | { readonly action: "set"; readonly account: string; readonly secret: string };

/** What comes back, and nothing from a keychain that fails; for `get` the secret alone, null when there is none. */
export interface KeychainAnswer {
  readonly done?: boolean;
  readonly secret?: string | null;
}

interface Entry {
  readonly getPassword: () => string | null;
  readonly setPassword: (secret: string) => void;
  readonly deletePassword: () => boolean;
}

interface Keyring {
  readonly Entry: new (service: string, account: string, options: unknown) => Entry;
}

const service = "bytenite-engines";

const answer = (question: KeychainQuestion): KeychainAnswer => {
  const { Entry } = createRequire(import.meta.url)("@napi-rs/keyring") as Keyring;
  // Without this it would fall back to a kernel keyring that forgets at the next start of the machine.
  const entry = new Entry(service, question.account, { linux: { store: "secret-service" } });
  if (question.action === "get") return { secret: entry.getPassword() };
  if (question.action === "set") {
    entry.setPassword(question.secret);
    // Some keychains accept and forget.
    return { done: entry.getPassword() === question.secret };
  }
  return { done: entry.deletePassword() };
};

process.stdout.write(JSON.stringify(answer(JSON.parse(await text(process.stdin)) as KeychainQuestion)));
