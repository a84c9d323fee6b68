// An empty Debian with its own systemd and network.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** Packages that the pages presuppose on Debian, and the two TLS proxies. */
const packages = "systemd,systemd-sysv,dbus,iproute2,procps,ca-certificates,curl,openssl,logrotate,caddy,nginx-light";

/** How the container is run: with systemd, and with a network that nobody else sees. */
const flags = ["--boot", "--private-network", "--register=no", "--keep-unit", "--quiet"];

/** Milliseconds that systemd may take to start. */
const maxBootMs = 120_000;

/** Milliseconds that it may take to stop. */
const maxStopMs = 30_000;

/** Output and exit of a command. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

/** A machine that runs commands as root. */
export interface Machine extends AsyncDisposable {
  /** The folder that is its root. */
  readonly root: string;
  /** Runs a script by bash. `network`: with the network of this host, as to install packages. */
  readonly run: (script: string, network?: "host") => Promise<Ended>;
}

const ended = (command: string, args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(command, [...args], { maxBuffer: 64 * 1_024 * 1_024 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    );
  });

const done = async (command: string, ...args: ReadonlyArray<string>): Promise<string> => {
  const { code, output } = await ended(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output}`);
  return output;
};

/** What this host lacks; undefined if a machine can be made. */
export const hostProblem = async (): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return "it makes a container: run it as root";
  for (const [program, from] of [
    ["debootstrap", "debootstrap"],
    ["systemd-nspawn", "systemd-container"],
    ["nsenter", "util-linux"],
  ] as const) {
    if ((await ended("sh", ["-c", `command -v ${program}`])).code !== 0)
      return `${program} is missing: apt install ${from}`;
  }
  return undefined;
};

/** A Debian that nobody has used, from `folder`, where it is kept for the next time. */
const base = async (folder: string): Promise<string> => {
  const root = join(folder, "base");
  if (existsSync(root)) return root;
  const made = join(folder, "making");
  rmSync(made, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await done("debootstrap", "--variant=minbase", `--include=${packages}`, "stable", made);
  await done("systemctl", "--root", made, "disable", "nginx.service", "caddy.service");
  renameSync(made, root);
  return root;
};

/** Node as a package of a distribution would put it there: below /usr, with its npm. */
const installNode = (root: string): void => {
  cpSync(process.execPath, join(root, "usr/bin/node"), { dereference: true });
  const npm = realpathSync(join("/usr/bin", "npm"));
  cpSync(dirname(dirname(npm)), join(root, "usr/lib/node_modules/npm"), { recursive: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(root, "usr/bin/npm"));
  // How this host reaches the npm registry.
  cpSync("/etc/ssl/certs/ca-certificates.crt", join(root, "etc/ssl/certs/ca-certificates.crt"));
};

/** The process that is number 1 in the container. */
const leaderOf = (pid: number): number | undefined => {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]) || undefined;
  } catch {
    return undefined;
  }
};

/** Boots a new machine. What `folder` has of an earlier one is removed, but for the empty Debian. */
export const bootMachine = async (folder: string): Promise<Machine> => {
  const from = await base(folder);
  const root = join(folder, "machine");
  rmSync(root, { recursive: true, force: true });
  await done("cp", "-a", "--reflink=auto", from, root);
  writeFileSync(join(root, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
  installNode(root);
  const container: ChildProcess = spawn(
    "systemd-nspawn",
    [`--directory=${root}`, `--machine=operate-${process.pid}`, ...flags],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const gone = once(container, "exit");
  let said = "";
  for (const stream of [container.stdout, container.stderr])
    stream?.on("data", (text) => (said = `${said}${String(text)}`.slice(-10_000)));
  let leader: number | undefined;
  const inside = (...namespaces: ReadonlyArray<string>): ReadonlyArray<string> => [
    "--target",
    String(leader),
    ...namespaces,
    ..."--root --wd /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8".split(" "),
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ];
  const stop = async (): Promise<void> => {
    // An orderly shutdown of the machine.
    container.kill("SIGTERM");
    const late = setTimeout(() => container.kill("SIGKILL"), maxStopMs);
    await gone;
    clearTimeout(late);
  };
  const run: Machine["run"] = (script, network) => {
    const settings = Object.entries(process.env).filter(([name]) =>
      /^(?:npm_config_registry|https?_proxy|no_proxy|node_extra_ca_certs)$/i.test(name),
    );
    const [namespaces, environment] =
      network === "host"
        ? [["--mount"], settings.map(([name, value]) => `${name}=${value}`)]
        : [["--mount", "--uts", "--ipc", "--net", "--pid"], []];
    return ended("nsenter", [
      ...inside(...namespaces),
      ...environment,
      "bash",
      "-c",
      `set -eo pipefail\ncd /root\n${script}`,
    ]);
  };
  for (const start = performance.now(); ; await wait(200)) {
    if (container.exitCode !== null || performance.now() - start > maxBootMs) {
      await stop();
      throw new Error(
        `the machine does not start: systemd-nspawn --boot needs cgroups and namespaces. It said:\n${said}`,
      );
    }
    leader ??= leaderOf(container.pid ?? 0);
    if (leader === undefined) continue;
    const { output } = await run("systemctl is-system-running || true");
    if (/^(?:running|degraded)$/m.test(output)) break;
  }
  return { root, run, [Symbol.asyncDispose]: stop };
};
