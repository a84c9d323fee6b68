// The tokens that the table of management cases is run with.

/** Tokens that the registry must have, of user `root`; the expired one would have scope `manage`. */
export const managementTokens = {
  manage: "a-token-of-root-that-manages",
  publish: "a-token-of-root-that-publishes",
  read: "a-token-of-root-that-reads",
  expired: "a-token-of-root-that-expired",
} as const;
