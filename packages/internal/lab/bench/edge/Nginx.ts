// nginx with proxy_cache as a peer, where installed.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@bytenite-engines/test-kit";
import { untilAnswered, type Peer } from "./Peer.ts";

/** Caches each token's answers for an hour, whatever they say. */
export const nginxByToken = `proxy_cache_valid 200 1h; proxy_cache_key "$http_authorization$request_uri";
      add_header x-cache $upstream_cache_status;`;

/** Caches as HTTP has it, as far as nginx does: revalidation, HEAD as a GET, stale answers on failure, one fetch at a time. */
export const nginxByHttp = `proxy_http_version 1.1; proxy_set_header connection ""; proxy_cache_revalidate on;
      proxy_cache_use_stale error timeout http_500 http_502 http_503 http_504; proxy_cache_lock on;`;

/** nginx with proxy_cache and these settings in front of the upstream, one process; undefined where it is not installed. */
export const startNginx = async (upstream: string, settings: string): Promise<Peer | undefined> => {
  if (spawnSync("nginx", ["-v"]).error !== undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "bytenite-nginx-"));
  const port = await freePort();
  await writeFile(
    join(folder, "nginx.conf"),
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
  );
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" });
  const exited = once(child, "exit");
  await untilAnswered(port);
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return { port, pid: child.pid ?? 0, stop };
};
