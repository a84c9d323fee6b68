// `pnpm picture`: a recorded terminal session of `bne`, as SVG.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { textOf } from "../src/Recording.ts";
import { recordSession } from "../src/Session.ts";
import { startStack } from "../src/Stack.ts";
import { pictureOf } from "../src/TerminalPicture.ts";

const stack = await startStack(Number(process.env["PROXY_PORT"] ?? 8787));
try {
  const recording = await recordSession(stack);
  const picture = fileURLToPath(new URL("../../../../../docs/session.svg", import.meta.url));
  writeFileSync(
    picture,
    pictureOf(recording, "A terminal: bne lists engines, shows one, and says what each answer was."),
  );
  process.stdout.write(`${textOf(recording)}\n`);
} finally {
  await stack.stop();
}
