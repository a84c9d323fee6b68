// nginx and Varnish as peer caches, where installed.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@bytenite-engines/test-kit";

/** A cache in a process of its own. */
export interface Peer {
  readonly port: number;
  /** The process that answers. */
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Waits until a request is answered, whatever with, for five seconds at most. */
const untilAnswered = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      async (response) => response.arrayBuffer().then(() => true),
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers at port ${port}`);
};

/** The text of a configuration file, and the arguments that name it. */
type Configuration = (
  folder: string,
  port: number,
  file: string,
) => readonly [text: string, args: ReadonlyArray<string>];

const started = async (command: string, configuration: Configuration): Promise<Peer | undefined> => {
  if (spawnSync(command, ["-V"]).error !== undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), `bytenite-${command}-`));
  const port = await freePort();
  const file = join(folder, "configuration");
  const [text, args] = configuration(folder, port, file);
  await writeFile(file, text);
  const child = spawn(command, args, { stdio: "ignore" });
  const exited = once(child, "exit");
  await untilAnswered(port);
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return { port, pid: child.pid ?? 0, stop };
};

/** Caches each token's answers for an hour, whatever they say. */
export const nginxByToken = `proxy_cache_valid 200 1h; proxy_cache_key "$http_authorization$request_uri";
      add_header x-cache $upstream_cache_status;`;

/** Caches as HTTP has it, as far as nginx does: revalidation, HEAD as a GET, stale answers on failure, one fetch at a time. */
export const nginxByHttp = `proxy_http_version 1.1; proxy_set_header connection ""; proxy_cache_revalidate on;
      proxy_cache_use_stale error timeout http_500 http_502 http_503 http_504; proxy_cache_lock on;`;

/** nginx with proxy_cache and these settings in front of the upstream, one process; undefined where it is not installed. */
export const startNginx = (upstream: string, settings: string): Promise<Peer | undefined> =>
  started("nginx", (folder, port, file) => [
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  proxy_cache_path ${folder}/cache keys_zone=z:8m;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${new URL(upstream).origin}; proxy_cache z;
      ${settings}
    }
  }
}`,
    ["-c", file, "-p", folder],
  ]);

interface VarnishSettings {
  /** VCL before the built-in rules. */
  readonly rules: string;
  readonly parameters: ReadonlyArray<string>;
}

/** Caches each token's answers for an hour, whatever they say. */
export const varnishByToken: VarnishSettings = {
  rules: `sub vcl_recv { return (hash); }
sub vcl_hash { hash_data(req.http.authorization); }
sub vcl_backend_response { set beresp.ttl = 1h; return (deliver); }
`,
  parameters: [],
};

/** Caches as HTTP has it, as far as Varnish does: the built-in rules, nothing without stated freshness, nothing stale, revalidation. */
export const varnishByHttp: VarnishSettings = {
  rules: "",
  parameters: ["default_ttl=0", "default_grace=0", "default_keep=600"],
};

/** Varnish in front of the upstream; undefined where it is not installed. */
export const startVarnish = async (
  upstream: string,
  { rules, parameters }: VarnishSettings,
): Promise<Peer | undefined> => {
  const { hostname, port: upstreamPort } = new URL(upstream);
  const peer = await started("varnishd", (folder, port, file) => [
    `vcl 4.1;
backend default { .host = "${hostname}"; .port = "${upstreamPort}"; }
${rules}`,
    [
      ..."-F -j none -s malloc,64m -n".split(" "),
      join(folder, "work"),
      ...parameters.flatMap((parameter) => ["-p", parameter]),
      "-a",
      `127.0.0.1:${port}`,
      "-f",
      file,
    ],
  ]);
  if (peer === undefined) return undefined;
  // The process that was started watches over the one that answers.
  const children = await readFile(`/proc/${peer.pid}/task/${peer.pid}/children`, "utf8");
  return { ...peer, pid: Number(children.trim().split(" ")[0]) };
};
