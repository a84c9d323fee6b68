// Decides: that identical concurrent calls of one client share one exchange, without one's end being another's.
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Option from "effect/Option";

type Follower<A, E> = (exit: Exit.Exit<A, E> | "orphaned") => void;

/** Those who wait for the end of an exchange that another one runs. */
export type Followers<A, E> = Array<Follower<A, E>>;

/** The exchanges under way, by key. */
export type InFlight<A, E> = Map<string, Followers<A, E>>;

/** Tells them that it ended; when it was given up, that one of them has to begin anew. */
export const announce = <A, E>(followers: Followers<A, E>, exit: Exit.Exit<A, E>): void => {
  const orphaned = !Exit.isSuccess(exit) && Cause.hasInterrupts(exit.cause);
  for (const follower of followers) follower(orphaned ? "orphaned" : exit);
};

/**
 * Runs `effect` unless one with the same key is under way: then waits for that one's end and gives `copy` of its value.
 * When the one that runs it is interrupted, or fails in a way that is not the failure of those who wait (`isOthers`), one of
 * them begins anew.
 */
export const shared = <A, E>(
  inFlight: InFlight<A, E>,
  key: string,
  effect: Effect.Effect<A, E>,
  copy: (value: A) => A,
  isOthers: (error: E) => boolean = never,
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const followers = inFlight.get(key);
    if (followers !== undefined) {
      return Effect.flatMap(follow(followers), (exit) =>
        exit !== "orphaned" && Exit.isSuccess(exit)
          ? Effect.succeed(copy(exit.value))
          : exit === "orphaned" || Option.exists(Exit.findErrorOption(exit), isOthers)
            ? shared(inFlight, key, effect, copy, isOthers)
            : exit,
      );
    }
    const own: Followers<A, E> = [];
    inFlight.set(key, own);
    return Effect.onExit(effect, (exit) =>
      Effect.sync(() => {
        inFlight.delete(key);
        announce(own, exit);
      }),
    );
  });

const never = (): boolean => false;

const follow = <A, E>(followers: Followers<A, E>): Effect.Effect<Exit.Exit<A, E> | "orphaned"> =>
  Effect.callback((resume) => {
    const follower: Follower<A, E> = (exit) => resume(Effect.succeed(exit));
    followers.push(follower);
    return Effect.sync(() => followers.splice(followers.indexOf(follower), 1));
  });
