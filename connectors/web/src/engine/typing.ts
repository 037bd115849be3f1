/** Tells the server that the customer types: at once, then rarely, and when they stop. */

import { Timer, type Clock } from "./environment.js";

const REPEAT_MS = 5_000;
const IDLE_MS = 6_000;

/** Turns keystrokes into few `typing` frames. */
export class TypingSignal {
  #lastOn = Number.NEGATIVE_INFINITY;
  readonly #idle: Timer;

  constructor(
    private readonly clock: Clock,
    private readonly say: (on: boolean) => void,
  ) {
    this.#idle = new Timer(clock);
  }

  /** The customer pressed a key. */
  keystroke(): void {
    const now = this.clock.now();
    if (!this.#idle.pending || now - this.#lastOn >= REPEAT_MS) {
      this.#lastOn = now;
      this.say(true);
    }
    this.#idle.set(IDLE_MS, () => this.say(false));
  }

  /** The field is empty again: says so if the server believes otherwise. */
  stop(): void {
    if (this.#idle.pending) this.say(false);
    this.#idle.clear();
  }

  /** As `stop`, but a sent message says it well enough. */
  sent(): void {
    this.#idle.clear();
  }
}
