// Assertions for programmer errors only. A failed one ends this process; its supervisor restarts it.
// What a peer, a user or a disk does wrong is never asserted: see host-error.ts.

/** Thrown when the program itself is wrong. Never caught and carried on with. */
export class AssertionFailure extends Error {
  override name = 'AssertionFailure';
}

/** Throws {@link AssertionFailure} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** For the default branch of a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
