import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bne, makeHome, writeUserFile } from "./Bne.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [{ name: "alice" }],
  });
});
afterAll(() => registry.stop());

test("logging out of a keychain that does not answer says that the secret may still be there", async () => {
  using home = makeHome();
  writeUserFile(home, '{"profiles":{"default":{"credentials":"keychain"}}}');
  const { code, stderr } = await bne(home, ["auth", "logout"]);
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /^bne: The keychain did not remove the credentials of profile default, so they may still be in it\n/,
  );
  expect((await bne(home, ["auth", "logout"])).stderr).toBe("Profile default had none.\n");
  writeUserFile(home, '{"profiles":{"other":{"credentials":"keychain"}}}');
  expect((await bne(home, ["profile", "remove", "other"])).stderr).toContain(
    "warning: the keychain did not remove its credentials, so they may still be in it\n",
  );
});

test("a keychain that does not answer is asked, and then the file is used", async () => {
  using home = makeHome();
  const socket = join(home.path, "bus");
  let asked = 0;
  const silent = createServer(() => void (asked += 1)).listen(socket);
  await once(silent, "listening");
  const { code, stderr } = await bne(home, ["auth", "login"], {
    input: "local-alice",
    env: { BYTENITE_BASE_URL: registry.url, DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}` },
  });
  silent.close();
  expect(asked).toBeGreaterThan(0);
  expect(code).toBe(0);
  expect(stderr).toContain("Stored in /");
});

const hasKeyring =
  spawnSync("gnome-keyring-daemon", ["--version"]).status === 0 &&
  spawnSync("dbus-run-session", ["--version"]).status === 0;

test.skipIf(!hasKeyring)("with a keychain the secret is in it and in no file", async () => {
  using home = makeHome();
  const bin = join(import.meta.dirname, "..", "bin", "bne.js");
  const script = `
    printf '\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
    printf local-bob | '${process.execPath}' '${bin}' auth login --no-verify --no-keychain --base-url ${registry.url}
    printf local-alice | '${process.execPath}' '${bin}' auth login --no-verify --base-url ${registry.url}
    ls '${dirname(home.userFile)}'
    '${process.execPath}' '${bin}' auth token
    '${process.execPath}' '${bin}' profile list -o ndjson
    '${process.execPath}' '${bin}' auth logout
    '${process.execPath}' '${bin}' auth token
    echo '{"profiles":{"default":{"credentials":"keychain"}}}' > '${home.userFile}'
    '${process.execPath}' '${bin}' auth token
    '${process.execPath}' '${bin}' auth logout
  `;
  const { DBUS_SESSION_BUS_ADDRESS: _, ...env } = home.env;
  const { stdout, stderr } = spawnSync("dbus-run-session", ["--", "bash", "-c", script], {
    env,
    encoding: "utf8",
    cwd: home.path,
  });
  expect(stderr).toContain(
    `Stored in the keychain for profile default, for ${new URL(registry.url).origin} only.\nForgot the credentials of profile default.\nbne: There are no credentials\n`,
  );
  expect(stderr).toContain("are in the keychain, which does not have them any more\n");
  expect(stderr).toContain("The keychain did not remove the credentials of profile default");
  expect(stdout).toBe(
    `config.json\nlocal-alice\n${JSON.stringify({ name: "default", current: true, baseUrl: registry.url, kind: "token", credentials: "keychain" })}\n`,
  );
  expect(existsSync(join(dirname(home.userFile), "credentials.json"))).toBe(false);
});
