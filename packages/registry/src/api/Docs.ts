// Documentation page of the API (Swagger UI).
import { openApiText } from "../gen/openApi.ts";
import type { Answer } from "./Answer.ts";
import type { Body } from "./EngineBody.ts";

/** Nothing is loaded from elsewhere, and nothing inline but styles runs. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ByteNite engines API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const start = `window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
`;

/** A file of the page, and the seconds for which it may be cached. */
export const docsAnswer = (type: string, body: Body, maxAge = 300): Answer => ({
  status: 200,
  headers: {
    "Content-Type": type,
    "Content-Security-Policy": policy,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": `public, max-age=${maxAge}`,
  },
  body,
  logFields: { endpoint: "docs", user: undefined },
});

/** The pages by path. */
export const docs: ReadonlyMap<string, () => Answer> = new Map([
  ["/openapi.json", () => docsAnswer("application/json", openApiText)],
  ["/docs", () => docsAnswer("text/html; charset=utf-8", page)],
  ["/docs/start.js", () => docsAnswer("text/javascript; charset=utf-8", start)],
]);
