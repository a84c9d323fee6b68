// The tokens that the table of management cases is run with.

/** Tokens that the registry must have: scope `manage` of user `root`, `publish` and `read` of others. */
export const managementTokens = {
  manage: "a-token-of-root-that-manages",
  publish: "a-token-of-root-that-publishes",
  read: "a-token-of-root-that-reads",
} as const;
