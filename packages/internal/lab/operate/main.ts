// `pnpm operate [--no-pack] [--old CLI.tgz]`: the operators' pages, followed on an empty Debian.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { root as repository } from "@bytenite-engines/test-kit";
import { bootMachine, hostProblem, type Ended, type Machine } from "./Machine.ts";
import { blocksOf, operations, type Block } from "./Pages.ts";

const { values } = parseArgs({ options: { "no-pack": { type: "boolean" }, old: { type: "string" } } });

/** The name of the registry in the pages. */
const host = "engines.example";

/** An address that is in no private network. */
const elsewhere = "203.0.113.5";

const settings = "/etc/bytenite-registry/settings.json";
const log = "/var/log/bytenite-registry/access.log";

let steps = 0;
let failures = 0;

/** Runs a step and prints how it ended. It has to end with 0 and to print what is expected. */
const step = async (name: string, work: Promise<Ended>, expected = /^/): Promise<string> => {
  const start = performance.now();
  const { code, output } = await work;
  const seconds = ((performance.now() - start) / 1_000).toFixed(1).padStart(6);
  const isRight = code === 0 && expected.test(output);
  steps += 1;
  if (!isRight) failures += 1;
  const problem = isRight ? "" : `ended with ${code}, expected ${expected}:\n${output.trim()}\n`;
  process.stdout.write(`${isRight ? "ok  " : "FAIL"} ${seconds} s  ${name}\n${problem}`);
  return output;
};

/** Follows pages on a machine. */
const followerOf = (machine: Machine) => ({
  machine,
  check: (name: string, script: string, expected?: RegExp) => step(name, machine.run(script), expected),
  block: (page: string, { line, text }: Block, expected?: RegExp, change = (script: string): string => script) =>
    step(`${page}:${line} ${text.replaceAll(/\s+/g, " ").slice(0, 70)}`, machine.run(change(text)), expected),
  /** Puts a file where a page says. */
  put: (path: string, text: string): void => {
    const target = join(machine.root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  },
});

type Follower = ReturnType<typeof followerOf>;

/** The blocks of a page in one language; exactly so many, since each is followed. */
const blocks = (page: string, language: string, count: number): ReadonlyArray<Block> => {
  const found = blocksOf(page).filter((block) => block.language === language);
  if (found.length !== count) throw new Error(`${page} has ${found.length} blocks of ${language}, not ${count}`);
  return found;
};

/** Packages in folders of their own; `use` makes one the `bne` of the machine. */
const installed = async ({ machine }: Follower, name: string, tarball: string): Promise<void> => {
  copyFileSync(tarball, join(machine.root, `root/${name}.tgz`));
  const install = `npm install --global --prefix /opt/${name} --no-audit --no-fund /root/${name}.tgz`;
  await step(`version ${name} of bne from its package`, machine.run(install, "host"));
};

const use = (name: string): string => `ln -sfn /opt/${name}/bin/bne /usr/bin/bne`;

/** install.md, but for the proxies. Resolves to the token of the operator. */
const install = async ({ machine, check, block, put }: Follower): Promise<string> => {
  const page = "install.md";
  const [user, key, start, token] = blocks(page, "sh", 4) as readonly [Block, Block, Block, Block];
  await block(page, user);
  await block(page, key);
  put(settings, (blocks(page, "json", 1)[0] as Block).text);
  for (const unit of ["registry.service", "registry-backup.service", "registry-backup.timer"]) {
    copyFileSync(operations(`bytenite-${unit}`), join(machine.root, `etc/systemd/system/bytenite-${unit}`));
  }
  await check("the units are valid", "systemd-analyze verify /etc/systemd/system/bytenite-registry*", /^$/);
  await block(page, start, /^(?:.*\n)*ready$/m);
  const security = "systemd-analyze security bytenite-registry.service --threshold 15 | tail -1";
  await check("the unit is sandboxed", security, /exposure level.*1\.\d/);
  const owner = "ps -o user:32= -p $(systemctl show -P MainPID bytenite-registry)";
  await check("it runs as its own user", owner, /^bytenite-registry/);
  const made = await block(page, token, /^bnt_/m);
  await check("metrics are on their port", "curl -sf http://127.0.0.1:4011/metrics", /registry_database_bytes/);
  return /^bnt_\S+/m.exec(made)?.[0] ?? "";
};

/** Asks for readiness, for a list, for statistics from here and from elsewhere, and sends more than nginx takes by default. */
const asking = (token: string): ReadonlyArray<string> => {
  const manage = `-H 'Authorization: ${token}' -H 'Bytenite-Management: 1' https://${host}/manage/v1/statistics`;
  const status = "curl -sk -o /dev/null -w '%{http_code}\\n'";
  return [
    `curl -sk --retry 20 --retry-all-errors --retry-delay 1 https://${host}/readyz`,
    `${status} -H 'Authorization: ${token}' https://${host}/v1/dev/engines`,
    `curl -sk ${manage}; echo`,
    `${status} --interface ${elsewhere} ${manage}`,
    `head -c 1100000 /dev/zero | ${status} -H Expect: --data-binary @- https://${host}/v1/dev/engines`,
  ];
};

/** Caddy and nginx, one after the other. nginx goes on. */
const proxies = async ({ check, put }: Follower, token: string): Promise<void> => {
  const asked = asking(token).join("\n");
  const answers = /^ready\n200\n\{"users":1,.*\}\n403\n401\n$/;
  const names = `echo '127.0.0.1 ${host}' >> /etc/hosts; ip address add ${elsewhere}/32 dev lo`;
  await check("a name and an address of elsewhere", names);
  const caddyfile = readFileSync(operations("Caddyfile"), "utf8");
  put("etc/caddy/Caddyfile", `{\n\tlocal_certs\n\tskip_install_trust\n}\n${caddyfile}`);
  await check("Caddy starts", "systemctl start caddy");
  await check("through Caddy", asked, answers);
  await check("Caddy stops", "systemctl stop caddy");
  put("etc/nginx/conf.d/bytenite-registry.conf", readFileSync(operations("nginx.conf"), "utf8"));
  const files = `-keyout /etc/ssl/${host}.key -out /etc/ssl/${host}.pem`;
  await check(
    "a certificate",
    `openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=${host} ${files} 2> /dev/null`,
  );
  await check("nginx starts", "nginx -t 2>&1 && systemctl start nginx");
  await check("through nginx", asked, answers);
};

const rotation = async ({ check, put }: Follower): Promise<void> => {
  const text = blocksOf("install.md").find((block) => block.text.includes("postrotate"))?.text ?? "";
  put("etc/logrotate.d/bytenite-registry", `${text}\n`);
  const ask = "curl -s http://127.0.0.1:4010/readyz";
  const rotate = "logrotate --force /etc/logrotate.d/bytenite-registry";
  const script = `${rotate} && sleep 1 && ${ask} && sleep 1 && test -s ${log}.1 && cat ${log}`;
  await check("the log is rotated, and goes on in a new file", script, /"path":"\/readyz"/);
  const metrics = readFileSync(operations("alerts.yaml"), "utf8").match(/registry_[a-z_]+/g) ?? [];
  const missing = [...new Set(metrics)].map((name) => `grep -q '${name}' /tmp/metrics || echo ${name}`).join("; ");
  await check(
    "alerts name metrics that there are",
    `curl -s http://127.0.0.1:4011/metrics > /tmp/metrics; ${missing}`,
    /^$/,
  );
};

const backups = async ({ check, block }: Follower, token: string): Promise<void> => {
  const page = "backup.md";
  const [scheduled, restored, tried] = blocks(page, "sh", 3) as readonly [Block, Block, Block];
  await block(page, scheduled, /bytenite-registry-backup\.timer/);
  const newest = "stat -c '%a %U %n' $(ls -t /var/backups/bytenite-registry/engines-*.sqlite | head -1)";
  const found = await check("a backup, for its user alone", newest, /^600 bytenite-registry/);
  const file = found.trim().split(" ")[2] ?? "";
  const named = (text: string): string => text.replaceAll("engines-TIME.sqlite", file);
  await block(page, restored, /restored/, named);
  const asked = `systemctl is-active bytenite-registry\n${asking(token).slice(0, 2).join("\n")}`;
  await check("the registry goes on after a restore", asked, /^active\nready\n200$/m);
  await block(page, tried, /is sound/, named);
};

/** A block with the version that it installs. The oldest version asked for no confirmation, and knows no `--yes`. */
const installing =
  (name: string) =>
  (text: string): string =>
    (name === "old" ? text.replace(" --yes", " $(bne registry restore --help | grep -om1 -e --yes)") : text).replaceAll(
      /^npm install --global \.\.\..*$/gm,
      use(name),
    );

/** upgrade.md from one installed version to the other, and back. `asked` is to work with both. */
const upgrade = async ({ check, block }: Follower, before: string, asked: string, expected: RegExp): Promise<void> => {
  const page = "upgrade.md";
  const [forward, back] = blocks(page, "sh", 2) as readonly [Block, Block];
  await block(page, forward, /ready/, installing("new"));
  await check(`it serves what version ${before} has written`, asked, expected);
  const variables = forward.text.split("\n").filter((line) => /^(?:cd |registry\(\)|DATABASE=)/.test(line));
  await block(page, back, /restored/, (text) => `${variables.join("\n")}\n${installing(before)(text)}`);
  await check(`version ${before} serves again`, asked, expected);
};

/** A database of an older version, with a token and a sealed secret. */
const fromOld = async (follower: Follower, tarball: string): Promise<void> => {
  const { check, put } = follower;
  await installed(follower, "old", tarball);
  const folder = "/var/lib/bytenite-registry";
  const database = `${folder}/engines.sqlite`;
  await check("the database is taken away", `systemctl stop bytenite-registry; rm -r ${folder}/*; ${use("old")}`);
  put(settings, JSON.stringify({ host: "127.0.0.1", port: 4010, database }));
  const manifest = JSON.stringify({ name: "sealed", version: "1.0", platform_config: { token: "s3cret" } });
  const as = "set -a; . /etc/bytenite-registry/environment; exec runuser -u bytenite-registry --";
  const filling = [
    `registry() (${as} bne registry "$@")`,
    `echo '${manifest}' | registry import - --user carol --database ${database}`,
    `registry token create --user carol --create-user --database ${database} | tee /root/token`,
    "systemctl start bytenite-registry",
  ].join("\n");
  await check("version old makes a database", filling, /^bnt_/m);
  const ask =
    'curl -s --retry 9 --retry-all-errors -H "Authorization: $(cat /root/token)" http://127.0.0.1:4010/v1/dev/engines/sealed';
  await check("version old serves it", ask, /"token":"s3cret"/);
  await upgrade(follower, "old", ask, /"token":"s3cret"/);
};

const follow = async (machine: Machine): Promise<void> => {
  const follower = followerOf(machine);
  await installed(follower, "new", join(repository, ".data/packages/cli.tgz"));
  await follower.check("bne is where the units look for it", `${use("new")}; bne --version`);
  const token = await install(follower);
  await proxies(follower, token);
  await rotation(follower);
  await backups(follower, token);
  const asked = asking(token).slice(0, 2).join("\n");
  await upgrade(follower, "new", asked, /^ready\n200$/m);
  const ended = "systemctl stop bytenite-registry; systemctl show -P Result -P ExecMainStatus bytenite-registry";
  await follower.check("it ends with 0", ended, /^success\n0$/m);
  const { old } = values;
  if (old !== undefined) await fromOld(follower, old);
};

const problem = await hostProblem();
if (problem !== undefined) {
  process.stderr.write(`pnpm operate: ${problem}\n`);
  process.exit(2);
}
if (values["no-pack"] !== true) {
  const pack = ["--import", "./scripts/NodeVersion.js", "scripts/tarballs.ts"];
  execFileSync(process.execPath, pack, { cwd: repository, stdio: "inherit" });
}
await using machine = await bootMachine(join(repository, ".data/operate"));
await follow(machine);
process.stdout.write(`${steps - failures} of ${steps} steps end as the pages say\n`);
process.exitCode = failures === 0 ? 0 : 1;
