// Decides: which secret of an engine is hidden, and how.
import type { Engine } from "@bytenite-engines/proto";

/** What stands in the place of a secret. */
export const redactedText = "REDACTED";

/** Hides the credential of the container registry. The engine itself is changed: it was fetched to be shown. */
export const redact = (engine: Engine): Engine => {
  if (engine.platformConfig !== undefined && engine.platformConfig.token !== "") {
    engine.platformConfig.token = redactedText;
  }
  return engine;
};

/** The same in the text of a JSON body that is passed on as it came. */
export const redactJsonText = (text: string): string =>
  text.replaceAll(/("token"\s*:\s*)"(?:[^"\\]|\\.)+"/g, (_, key: string) => `${key}"${redactedText}"`);
