// The proxies that environment variables name.
import { isIPv4 } from "node:net";
import { assertObject } from "../OptionNames.ts";

/** Environment variables, or an object like them. */
export type ProxyEnv = Readonly<Record<string, string | undefined>>;

/** A proxy, and what it is told of its user. */
export interface Proxy {
  readonly url: URL;
  /** The value of `proxy-authorization`. */
  readonly authorization: string | undefined;
}

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case. Returns what finds the proxy of a URL. Throws TypeError for a
 * value that names no proxy: to connect directly instead could leak a request. A value may hold a password, and is not shown.
 */
export const proxiesIn = (env: ProxyEnv): ((url: URL) => Proxy | undefined) => {
  assertObject(env, "proxyEnv");
  const proxies: Readonly<Record<string, Proxy | undefined>> = {
    "http:": proxyIn(env, "http_proxy"),
    "https:": proxyIn(env, "https_proxy"),
  };
  const without = (env["no_proxy"] || env["NO_PROXY"] || "").split(",").map((entry) => entry.trim().toLowerCase());
  return (url) => (without.some((entry) => covers(entry, url)) ? undefined : proxies[url.protocol]);
};

const proxyIn = (env: ProxyEnv, lower: string): Proxy | undefined => {
  const name = env[lower] ? lower : lower.toUpperCase();
  const given = env[name]?.trim() ?? "";
  if (given === "") return undefined;
  const text = given.includes("://") ? given : `http://${given}`;
  // A lone word is more likely a slip than the name of a host.
  const isAddress = given.includes("://") ? /^https?:/i.test(given) : /[.:\]]|^localhost$/i.test(given);
  try {
    const url = new URL(isAddress ? text : "");
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return { url, authorization: user === ":" ? undefined : `Basic ${Buffer.from(user).toString("base64")}` };
  } catch {
    throw new TypeError(`${name} is not the URL of an http or https proxy, as in http://127.0.0.1:3128`);
  }
};

/** Whether an entry of NO_PROXY covers a URL. */
const covers = (entry: string, url: URL): boolean => {
  const host = hostOf(url);
  if (entry === "*" || entry === host || entry === `${host}:${portOf(url)}`) return true;
  if (entry.startsWith("*.")) return host.endsWith(entry.slice(1));
  if (entry.startsWith(".")) return `.${host}`.endsWith(entry);
  const [first = "", last = ""] = entry.split("-").map((each) => each.trim());
  if (![host, first, last].every(isIPv4)) return false;
  return inOrder(first) <= inOrder(host) && inOrder(host) <= inOrder(last);
};

/** A text that comes before those of higher addresses. */
const inOrder = (ip: string): string => String.fromCharCode(...ip.split(".").map(Number));

/** The host for the resolver: IPv6 without brackets. */
export const hostOf = ({ hostname }: URL): string => (hostname.startsWith("[") ? hostname.slice(1, -1) : hostname);

export const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === "https:" ? 443 : 80);
