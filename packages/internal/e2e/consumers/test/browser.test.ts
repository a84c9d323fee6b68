// Installed packages in Chromium.
import { existsSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { listen } from "@bytenite-engines/test-kit/ports";
import { chromium, type Page } from "playwright-core";
import { expect, inject, onTestFinished, test } from "vitest";
import { bundled } from "../src/Bundled.ts";
import { managers } from "../src/InstalledProject.ts";
import { serve } from "../src/Serve.ts";

const browser = "/usr/bin/chromium";

/** The server of a page: its HTML, its script, and the API under its own origin. */
const serverOf =
  (script: string, origin: string): RequestListener =>
  (request, response) => {
    const answer = async (): Promise<void> => {
      const path = request.url ?? "/";
      if (path === "/" || path.startsWith("/?"))
        response.setHeader("Content-Type", "text/html").end('<script type="module" src="/page"></script>');
      else if (path === "/page") response.setHeader("Content-Type", "text/javascript").end(script);
      else if (!path.startsWith("/v1/")) response.writeHead(404).end();
      else {
        const { authorization = "", accept = "" } = request.headers;
        const { status, headers, ...rest } = await passedOn(new URL(path, origin), { authorization, accept });
        response.writeHead(status, headers).end(rest.body);
      }
    };
    answer().catch((error: unknown) => response.destroy(error as Error));
  };

const passedOn = async (url: URL, headers: Readonly<Record<string, string>>) => {
  // The fields are passed on, so the body must be what they describe: fetch would unpack a compressed one.
  const answer = await fetch(url, { headers: { ...headers, "accept-encoding": "identity" } });
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: new Uint8Array(await answer.arrayBuffer()),
  };
};

/** A page of a project's script, its own origin, and that of a registry of the same project. */
const opened = async (
  project: string,
  program: string,
): Promise<readonly [page: Page, origin: string, api: string]> => {
  const registry = await serve(project);
  onTestFinished(registry.stop);
  const server = createServer(serverOf(await bundled(project, program, "browser"), registry.url));
  const origin = await listen(server);
  onTestFinished(() => void server.close());
  const running = await chromium.launch({ executablePath: browser, args: ["--no-sandbox"] });
  onTestFinished(() => running.close());
  return [await running.newPage(), origin, registry.url];
};

test.skipIf(!existsSync(browser)).for(managers)(
  "a page lists engines in Chromium, installed by %s",
  async (manager) => {
    const [page, origin] = await opened(inject("projects")[manager], "page.js");
    const complaints: Array<string> = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${origin}/`);
    await Promise.race([page.locator("#done").waitFor(), page.waitForEvent("pageerror")]);
    expect(complaints).toEqual([]);
    const shown = JSON.parse(await page.locator("body").innerText()) as { readonly names: ReadonlyArray<string> };
    expect(shown).toMatchObject({
      mediaType: "application/x-protobuf",
      jsonType: "application/json",
      namesInJson: shown.names,
    });
    expect(shown.names).toContain("zipper");
  },
);

test.skipIf(!existsSync(browser))("a page on another origin gets an error that names CORS", async () => {
  const [page, origin, api] = await opened(inject("projects").npm, "cors.js");
  await page.goto(`${origin}/?api=${encodeURIComponent(api)}`);
  await page.locator("#done").waitFor();
  const result = JSON.parse(await page.locator("body").innerText()) as {
    readonly reason: unknown;
    readonly message: string;
  };
  expect(result.reason).toEqual({ _tag: "Unreachable", problem: "network", pageOrigin: origin });
  expect(result.message).toContain(`the likely cause is CORS: the server must allow the origin ${origin}`);
  // Errors of its own origin do not mention CORS.
  await page.goto(`${origin}/?api=${encodeURIComponent(`${origin}/gone`)}`);
  await page.locator("#done").waitFor();
  expect(await page.locator("body").innerText()).not.toContain("CORS");
});
