// Messages on their way to the session proxy: numbered, kept until it has taken them, sent in batches.

/** Most characters in a batch, beyond its first message. */
export const BATCH_CHARACTERS_MAX = 1_048_576;

/** Most characters that wait. DevTools sends a few kilobytes; this much means that nobody takes anything. */
export const OUTBOX_CHARACTERS_MAX = 67_108_864;

/** Messages in a row; `first` is the number of the first one. */
export interface Batch {
  first: number;
  count: number;
  /** JSON array. */
  body: string;
}

/** Numbers start at 0 and go up by one for each message. */
export class Outbox {
  #first = 0;
  #messages: string[] = [];
  #characters = 0;

  /** Adds a message in JSON. False, and nothing added, when too much waits already. */
  put(message: string): boolean {
    if (this.#characters + message.length > OUTBOX_CHARACTERS_MAX) return false;
    this.#messages.push(message);
    this.#characters += message.length;
    return true;
  }

  /** What to send next; null when nothing waits. The messages stay until `taken`. */
  batch(): Batch | null {
    if (this.#messages.length === 0) return null;
    let characters = 0;
    let count = 0;
    for (const message of this.#messages) {
      characters += message.length;
      if (count > 0 && characters > BATCH_CHARACTERS_MAX) break;
      count += 1;
    }
    return { first: this.#first, count, body: `[${this.#messages.slice(0, count).join(',')}]` };
  }

  /**
   * The other side has everything before number `next` and forgets nothing of it. False when that cannot be:
   * it lacks what it had confirmed, or has what was never sent.
   */
  taken(next: number): boolean {
    if (next < this.#first || next > this.#first + this.#messages.length) return false;
    for (const message of this.#messages.splice(0, next - this.#first)) this.#characters -= message.length;
    this.#first = next;
    return true;
  }
}
