// What a process prints: cut into lines of bounded length, and the end of it kept for failures.
// Memory is bounded however much is printed and however long a line is.

/** Longest line, in characters; a longer one is passed on in pieces. */
export const LINE_CHARACTERS_MAX = 16_384;

/** Cuts text into lines without their ends. */
export class LineCutter {
  #rest = '';
  readonly #onLine: (line: string) => void;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      const line = this.#rest + text.slice(start, end);
      this.#rest = '';
      this.#pass(line.endsWith('\r') ? line.slice(0, -1) : line);
      start = end + 1;
    }
    this.#rest += text.slice(start);
    while (this.#rest.length > LINE_CHARACTERS_MAX) {
      this.#onLine(this.#rest.slice(0, LINE_CHARACTERS_MAX));
      this.#rest = this.#rest.slice(LINE_CHARACTERS_MAX);
    }
  }

  /** Passes on a last line that has no end. */
  end(): void {
    if (this.#rest !== '') this.#pass(this.#rest);
    this.#rest = '';
  }

  #pass(line: string): void {
    let at = 0;
    do {
      this.#onLine(line.slice(at, at + LINE_CHARACTERS_MAX));
      at += LINE_CHARACTERS_MAX;
    } while (at < line.length);
  }
}

/** The last characters of a text. */
export class TextTail {
  #chunks: string[] = [];
  #length = 0;
  readonly #charactersMax: number;

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax;
  }

  push(text: string): void {
    this.#chunks.push(text);
    this.#length += text.length;
    // Joined now and then only: cutting at each push would copy the whole tail each time.
    if (this.#length > 2 * this.#charactersMax || this.#chunks.length > 1024) {
      this.#chunks = [this.text()];
      this.#length = this.#chunks[0]!.length;
    }
  }

  text(): string {
    return this.#chunks.join('').slice(-this.#charactersMax);
  }
}
