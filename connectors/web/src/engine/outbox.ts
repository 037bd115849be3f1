/**
 * Messages that the customer wrote and the server has not acknowledged, in the order written.
 *
 * Each is sent at once, again on every new connection and again after a pause that the server
 * asked for, always under the same id, until it is acknowledged or refused.
 */

import { Timer, type Environment } from "./environment.js";
import type { ClientFrame } from "./protocol.js";

/** `delayed` is `sending` that takes so long that the customer should know; `rejected` is refused. */
export type Delivery = "sending" | "delayed" | "rejected";

/** A message on its way. */
export interface Outgoing {
  readonly id: string;
  readonly text: string;
  /** Id of the quick reply that was pressed for it. */
  readonly pressed?: string;
  readonly at: number;
  readonly delivery: Delivery;
}

/** A pause that the server asked for, until `until` (UTC milliseconds). */
export interface Hold {
  readonly reason: "too_fast" | "unavailable";
  readonly until: number;
}

/** The way out, and who wants to know. */
export interface OutboxLink {
  /** Whether frames can be sent now. */
  ready(): boolean;
  send(frame: ClientFrame): void;
  /** The server is mute: the connection is of no use any more. */
  mute(): void;
  changed(): void;
}

const ACK_TIMEOUT_MS = 10_000;
const DELAYED_AFTER_MS = 20_000;

/** The unacknowledged messages of one session. */
export class Outbox {
  #entries: readonly Outgoing[] = [];
  #hold: Hold | null = null;
  readonly #ackTimer: Timer;
  readonly #holdTimer: Timer;

  constructor(
    private readonly env: Environment,
    private readonly link: OutboxLink,
  ) {
    this.#ackTimer = new Timer(env.clock);
    this.#holdTimer = new Timer(env.clock);
  }

  /** Oldest first. A new array after every change. */
  get entries(): readonly Outgoing[] {
    return this.#entries;
  }

  get hold(): Hold | null {
    return this.#hold;
  }

  /** Whether an answer of the server to a message is still to come. */
  get waiting(): boolean {
    return this.#due.length > 0;
  }

  get #due(): readonly Outgoing[] {
    return this.#entries.filter((entry) => entry.delivery !== "rejected");
  }

  /** Takes a message in and sends it as soon as it can be. */
  post(text: string, pressed?: string): void {
    const entry: Outgoing = {
      id: this.env.newId(), text, at: this.env.clock.now(), delivery: "sending",
      ...(pressed !== undefined && { pressed }),
    };
    this.#entries = [...this.#entries, entry];
    this.#watch(entry);
    this.#transmit(entry);
  }

  /** Takes back what an earlier page, or another tab, had not got through. */
  restore(entries: readonly Outgoing[]): void {
    const fresh = entries.filter((entry) => !this.find(entry.id));
    this.#entries = [...fresh, ...this.#entries];
    fresh.forEach((entry) => this.#watch(entry));
  }

  /** Sends a delayed or rejected message again. */
  retry(entry: Outgoing): void {
    this.#mark(entry.id, "sending");
    this.#watch(entry);
    this.#transmit(entry);
  }

  find(id: string): Outgoing | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  /** Removes and returns the message `id`, if it is here. */
  take(id: string): Outgoing | undefined {
    const entry = this.find(id);
    if (!entry) return undefined;
    this.#entries = this.#entries.filter((one) => one !== entry);
    this.#ackTimer.clear();
    if (this.waiting && this.link.ready()) this.#expectAck();
    return entry;
  }

  /** Sends all that is unacknowledged: the server knows by its id what it has already. */
  flush(): void {
    this.#due.forEach((entry) => this.#transmit(entry));
  }

  /** Sends nothing for `ms`, then everything again. */
  pause(reason: Hold["reason"], ms: number): void {
    this.#hold = { reason, until: this.env.clock.now() + ms };
    this.#ackTimer.clear();
    this.#holdTimer.set(ms, () => {
      this.#hold = null;
      this.flush();
      this.link.changed();
    });
  }

  /** The connection is gone, and with it every pause and expectation. */
  interrupt(): void {
    this.#hold = null;
    this.#ackTimer.clear();
    this.#holdTimer.clear();
  }

  /** The server refused a message: the oldest, as errors come in the order of the frames. */
  rejectOldest(): void {
    const oldest = this.#due[0];
    if (oldest) this.#mark(oldest.id, "rejected");
  }

  rejectAll(): void {
    this.#due.forEach((entry) => this.#mark(entry.id, "rejected"));
  }

  #transmit(entry: Outgoing): void {
    if (this.#hold || !this.link.ready()) return;
    const { id, text, pressed } = entry;
    this.link.send({ type: "message", id, text, ...(pressed !== undefined && { pressed }) });
    if (!this.#ackTimer.pending) this.#expectAck();
  }

  #expectAck(): void {
    this.#ackTimer.set(ACK_TIMEOUT_MS, () => this.link.mute());
  }

  #watch(entry: Outgoing): void {
    this.env.clock.after(DELAYED_AFTER_MS, () => {
      if (this.find(entry.id)?.delivery !== "sending") return;
      this.#mark(entry.id, "delayed");
      this.link.changed();
    });
  }

  #mark(id: string, delivery: Delivery): void {
    this.#entries = this.#entries.map((entry) => (entry.id === id ? { ...entry, delivery } : entry));
  }
}
