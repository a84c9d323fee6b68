// Decides: how an event of the client is said in a line.
import type { EngineEvent } from "@bytenite-engines/core/promise";
import { sayDuration } from "../Duration.ts";

type EventOf<T extends EngineEvent["type"]> = Extract<EngineEvent, { readonly type: T }>;

/** `retrying in 1.2 s: 503 from 127.0.0.1:4010` */
export const retryLine = ({ delayMs, status, reason, url, hinted }: EventOf<"retry">): string =>
  `retrying in ${sayDuration(delayMs)}${hinted ? ", as the server asks" : ""}: ${status ?? words(reason)} from ${new URL(url).host}`;

/** `TimedOut` -> `timed out` */
const words = (tag: string): string => tag.replaceAll(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

/** One line about anything that happened. */
export const exchangeLine = (event: EngineEvent): string => {
  switch (event.type) {
    case "exchange": {
      const { method, url, status, mediaType, bytes, durationMs, attempt, cacheStatus } = event;
      const parts = [
        `${method} ${url}`,
        String(status),
        mediaType ?? "no media type",
        `${bytes.toLocaleString("en")} bytes`,
        sayDuration(durationMs),
        `attempt ${attempt}`,
        cacheStatus === undefined ? "no cache" : `cache ${cacheStatus}`,
      ];
      return parts.join(" · ");
    }
    case "unanswered": {
      const { url, reason, durationMs, attempt } = event;
      return [`GET ${url}`, words(reason), sayDuration(durationMs), `attempt ${attempt}`].join(" · ");
    }
    case "retry":
      return retryLine(event);
    case "fallback":
      return `${event.url}: asked for ${event.asked}, answered in ${event.answered}`;
    case "renewal":
      return `${event.url}: token renewed (${event.because})`;
    case "breaker":
      return `${event.url}: circuit breaker ${event.state}`;
    case "unknown-fields":
      return `${event.url}: ${event.message} has unknown fields ${event.fields.join(", ")}`;
    case "trust":
    case "drift":
      return `${event.url}: ${event.type}: ${event.message}: ${event.detail}`;
  }
};
