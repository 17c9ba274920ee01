// Tells those who wait how something ended, each once.

/** A meeting point: `wait` before it ends, `tell` when it does. */
export class Outcome<Value> {
  readonly #waiting = new Set<(value: Value) => void>();

  wait(): Promise<Value> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  tell(value: Value): void {
    for (const resolve of this.#waiting) resolve(value);
    this.#waiting.clear();
  }
}
