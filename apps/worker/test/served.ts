// The built Worker on workerd in front of a registry.
import { startRegistry, type TestRegistry, type TestRegistryOptions } from "@bytenite-engines/registry/testing";
import { serve } from "@bytenite-engines/test-kit";
import { builtWorker } from "../scripts/built.ts";

export interface Stack extends AsyncDisposable {
  readonly registry: TestRegistry;
  readonly url: string;
  readonly get: (token: string | undefined, path: string, headers?: Record<string, string>) => Promise<Response>;
}

export const adminSecret = "0123456789abcdef";

/** Registry and Worker; both end with the block. */
export const startStack = async (
  variables: Readonly<Record<string, string>> = {},
  options: TestRegistryOptions = {},
  code?: string,
): Promise<Stack> => {
  const registry = await startRegistry(options);
  const running = await serve({
    name: "worker",
    code: code ?? (await builtWorker()),
    port: 0,
    variables: { UPSTREAM_URL: registry.url, ADMIN_SECRET: adminSecret, LOG: "off", ...variables },
  });
  return {
    registry,
    url: running.url,
    get: (token, path, headers = {}) =>
      fetch(`${running.url}/v1/dev${path}`, {
        headers: token === undefined ? headers : { authorization: token, ...headers },
      }),
    [Symbol.asyncDispose]: async () => {
      await running.stop();
      await registry.stop();
    },
  };
};

/** The `hit` or `fwd` of Cache-Status. */
export const cacheResult = (response: Response): string =>
  /; (hit|fwd=[a-z-]+)/.exec(response.headers.get("cache-status") ?? "")?.[1] ?? "";
