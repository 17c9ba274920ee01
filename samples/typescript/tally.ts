// Counts ballots for a fixed list of choices.

export interface Ballot {
  choice: string;
}

export class Tally {
  #counts: Map<string, number>;

  constructor(choices: readonly string[]) {
    this.#counts = new Map(choices.map((choice) => [choice, 0]));
  }

  get choices(): string[] {
    return [...this.#counts.keys()];
  }

  /** Counts a ballot; false when nobody stands for that choice. */
  add(ballot: Ballot): boolean {
    const count = this.#counts.get(ballot.choice);
    if (count === undefined) return false;
    this.#counts.set(ballot.choice, count + 1);
    return true;
  }

  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
