/** Replies that are being written: what the deltas and previews of each turn add up to. */

import type { Source } from "./protocol.js";

/** The first useful content of a turn, a passage's own words. */
export interface Preview {
  readonly text: string;
  readonly sources: readonly Source[];
}

/** One unfinished reply. */
export interface Draft {
  readonly turn: string;
  readonly text: string;
  readonly preview: Preview | null;
}

/** The unfinished replies, in the order they began. */
export class Drafts {
  #drafts = new Map<string, Draft>();
  /** A straggling delta must not bring a finished turn back. */
  readonly #finished = new Set<string>();

  get all(): readonly Draft[] {
    return [...this.#drafts.values()];
  }

  append(turn: string, text: string): void {
    this.#update(turn, (draft) => ({ ...draft, text: draft.text + text }));
  }

  preview(turn: string, preview: Preview): void {
    this.#update(turn, (draft) => ({ ...draft, preview }));
  }

  finish(turn: string): void {
    this.#drafts.delete(turn);
    this.#finished.add(turn);
  }

  /** Forgets all: after a restart the server may write the same turn again under a new id. */
  clear(): void {
    this.#drafts.clear();
    this.#finished.clear();
  }

  #update(turn: string, change: (draft: Draft) => Draft): void {
    if (this.#finished.has(turn)) return;
    // One turn is written at a time: what another one left unfinished has been given up.
    if (!this.#drafts.has(turn)) this.#drafts.clear();
    this.#drafts.set(turn, change(this.#drafts.get(turn) ?? { turn, text: "", preview: null }));
  }
}
