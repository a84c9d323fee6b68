// The end of a request before its answer.
/** What ends a request. Its AbortSignal is made when somebody reads it: that and a listener take a fifth of the time of a call. */
export class Cancellation {
  readonly #given: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #listeners: Set<(reason: unknown) => void> | undefined;
  #ended: { readonly reason: unknown } | undefined;

  /** `signal`: what ends it instead of `abort`. */
  constructor(signal?: AbortSignal) {
    this.#given = signal;
  }

  get aborted(): boolean {
    return this.#given?.aborted ?? this.#ended !== undefined;
  }

  get reason(): unknown {
    return (this.#given ?? this.#ended)?.reason;
  }

  get signal(): AbortSignal {
    if (this.#given !== undefined) return this.#given;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    }
    return this.#controller.signal;
  }

  /** Calls back with the reason once it ends. Returns what takes the listener away. */
  onAbort(listener: (reason: unknown) => void): () => void {
    const signal = this.#given;
    if (signal !== undefined) return onAbort(signal, listener);
    const listeners = (this.#listeners ??= new Set());
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  abort(reason: unknown = new DOMException("This operation was aborted", "AbortError")): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#controller?.abort(reason);
    for (const listener of this.#listeners ?? []) listener(reason);
  }
}

/** Calls back with the reason of a signal. Returns what takes the listener away. */
export const onAbort = (signal: AbortSignal, listener: (reason: unknown) => void): (() => void) => {
  const abort = (): void => listener(signal.reason);
  signal.addEventListener("abort", abort);
  return () => signal.removeEventListener("abort", abort);
};
