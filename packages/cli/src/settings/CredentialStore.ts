// Keeps one secret per profile: in the keychain where there is one, else in a file that only the user can read.
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "../UsageError.ts";
import { changeConfig, readConfig, type ConfigValues } from "./ConfigFile.ts";
import { writeOwn } from "./Files.ts";
import { askKeychain } from "./Keychain.ts";
import { assertProfileName } from "./ProfileNames.ts";
import { parseSecret, type StoredSecret } from "./Secret.ts";
import type { Settings } from "./Settings.ts";

/** Where a secret is kept. */
export type StorePlace = "keychain" | "file";

/** The file of secrets, beside the settings. */
export const credentialsFile = (userFile: string): string => join(dirname(userFile), "credentials.json");

/** The stored secret of the profile in use, and where it was. */
export const loadSecret = async (
  settings: Settings,
): Promise<{ readonly secret: StoredSecret; readonly place: StorePlace; readonly where: string } | undefined> => {
  const { profileName, profiles, userFile } = settings;
  const place = profiles[profileName]?.["credentials"];
  if (place === "keychain") {
    const answer = await askKeychain({ action: "get", account: profileName });
    const secret = answer?.secret === undefined ? undefined : parseSecret(answer.secret);
    if (secret !== undefined) return { secret, place, where: "the keychain" };
    throw new UsageError(
      `The credentials of profile ${profileName} are in the keychain, which ${answer?.done === true ? "does not have them any more" : "does not answer"}`,
      "Set BYTENITE_TOKEN, or log in again: bne auth login",
    );
  }
  const path = credentialsFile(userFile);
  const text = (await secretsIn(path))[profileName];
  const secret = text === undefined ? undefined : parseSecret(JSON.stringify(text));
  return secret === undefined ? undefined : { secret, place: "file", where: path };
};

/** Stores the secret of the profile in use; resolves to where it went. */
export const storeSecret = async (
  settings: Settings,
  secret: StoredSecret,
  keychain: boolean,
): Promise<{ readonly place: StorePlace; readonly where: string }> => {
  const { profileName, userFile } = settings;
  assertProfileName(profileName);
  const path = credentialsFile(userFile);
  const inKeychain =
    keychain &&
    (await askKeychain({ action: "set", account: profileName, secret: JSON.stringify(secret) }))?.done === true;
  const others = await secretsIn(path);
  if (inKeychain) await removeFromFile(path, profileName);
  else writeOwn(path, `${JSON.stringify({ ...others, [profileName]: secret }, null, 2)}\n`);
  const place = inKeychain ? "keychain" : "file";
  await changeConfig(userFile, [
    [["profiles", profileName, "baseUrl"], secret.baseUrl],
    [["profiles", profileName, "credentials"], place],
    [["profiles", profileName, "kind"], secret.kind],
  ]);
  return { place, where: inKeychain ? "the keychain" : path };
};

/** How forgetting a secret ended; `unanswered`: it may still be in the keychain, which did not answer or did not find it. */
export type Removal = "removed" | "none" | "unanswered";

/** Forgets the secret of a profile. */
export const removeSecret = async (settings: Settings, profileName: string): Promise<Removal> => {
  const place = settings.profiles[profileName]?.["credentials"];
  const answer = place === "keychain" ? await askKeychain({ action: "remove", account: profileName }) : { done: false };
  const removed = await removeFromFile(credentialsFile(settings.userFile), profileName);
  if (place !== undefined)
    await changeConfig(settings.userFile, [
      [["profiles", profileName, "credentials"], undefined],
      [["profiles", profileName, "kind"], undefined],
    ]);
  if (answer === undefined || (place === "keychain" && !answer.done)) return "unanswered";
  return answer.done || removed ? "removed" : "none";
};

const removeFromFile = async (path: string, profileName: string): Promise<boolean> => {
  const { [profileName]: removed, ...others } = await secretsIn(path);
  if (removed === undefined) return false;
  if (Object.keys(others).length === 0) rmSync(path, { force: true });
  else writeOwn(path, `${JSON.stringify(others, null, 2)}\n`);
  return true;
};

const secretsIn = (path: string): Promise<ConfigValues> => readConfig(path, "secret");
