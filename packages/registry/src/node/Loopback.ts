// Decides: whether an address can only be reached from this machine.
import { isIPv4, isIPv6 } from "node:net";

/** True for 127.0.0.0/8, ::1 and localhost (RFC 6761, 6.3). A name that is not known to be loopback is not. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIPv4(host) && host.startsWith("127.")) || (isIPv6(host) && /^(?:0*:)*:?0*1$/.test(host));
