// Detection of a proxy that reaches itself, by Via (RFC 9110, 7.6.3) and CDN-Loop (RFC 8586).
import { splitList } from "@bytenite-engines/http-cache";

/** The name of a deployment in both fields: a pseudonym, which differs from that of another proxy in a row. */
const nameOf = (deployment: string): string => `bytenite-edge-${deployment}`;

/** Whether a request has been through this deployment before. */
export const isLoop = (via: string | null, cdnLoop: string | null, deployment: string): boolean => {
  if (via === null && cdnLoop === null) return false;
  const name = nameOf(deployment);
  return (
    membersOf(via, name).some((member) => member.trim().split(/\s+/, 2)[1] === name) ||
    membersOf(cdnLoop, name).some((member) => (member.split(";", 1)[0] ?? "").trim() === name)
  );
};

/** The members of a field in which a name stands anywhere. Names are compared in lower case. */
const membersOf = (field: string | null, name: string): ReadonlyArray<string> => {
  const value = field?.toLowerCase() ?? "";
  return value.includes(name) ? splitList(value) : [];
};

/** Both fields with this deployment as the last hop. */
export const withHop = (headers: Headers, deployment: string): ReadonlyArray<readonly [string, string]> => {
  const hops = [
    ["via", `1.1 ${nameOf(deployment)}`],
    ["cdn-loop", nameOf(deployment)],
  ] as const;
  return hops.map(([field, hop]) => {
    const before = headers.get(field);
    return [field, before === null || before === "" ? hop : `${before}, ${hop}`];
  });
};
