// Varnish as a peer, where installed.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@bytenite-engines/test-kit";
import { untilAnswered, type Peer } from "./Peer.ts";

interface Settings {
  /** VCL before the built-in rules. */
  readonly rules: string;
  readonly parameters: ReadonlyArray<string>;
}

/** Caches each token's answers for an hour, whatever they say. */
export const varnishByToken: Settings = {
  rules: `sub vcl_recv { return (hash); }
sub vcl_hash { hash_data(req.http.authorization); }
sub vcl_backend_response { set beresp.ttl = 1h; return (deliver); }
`,
  parameters: [],
};

/** Caches as HTTP has it, as far as Varnish does: the built-in rules, nothing without stated freshness, nothing stale, revalidation. */
export const varnishByHttp: Settings = {
  rules: "",
  parameters: ["default_ttl=0", "default_grace=0", "default_keep=600"],
};

/** Varnish in front of the upstream; undefined where it is not installed. */
export const startVarnish = async (upstream: string, { rules, parameters }: Settings): Promise<Peer | undefined> => {
  if (spawnSync("varnishd", ["-V"]).error !== undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "bytenite-varnish-"));
  const port = await freePort();
  const { hostname, port: upstreamPort } = new URL(upstream);
  await writeFile(
    join(folder, "peer.vcl"),
    `vcl 4.1;
backend default { .host = "${hostname}"; .port = "${upstreamPort}"; }
${rules}`,
  );
  const settings = ["-F", "-j", "none", "-n", join(folder, "work"), "-s", "malloc,64m"];
  for (const parameter of parameters) settings.push("-p", parameter);
  const child = spawn("varnishd", [...settings, "-a", `127.0.0.1:${port}`, "-f", join(folder, "peer.vcl")], {
    stdio: "ignore",
  });
  const exited = once(child, "exit");
  await untilAnswered(port);
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  // The process that was started watches over the one that answers.
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
  return { port, pid: Number(children.trim().split(" ")[0]), stop };
};
