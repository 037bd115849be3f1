/**
 * One lasting connection made of many sockets: connects, notices when a socket is gone or mute,
 * and connects again with backoff until it is told to stop. What is said over it is the session's
 * business.
 */

import { backoffMs } from "./backoff.js";
import { Timer, type Environment, type Socket } from "./environment.js";
import { parseFrame, type ClientFrame, type ServerFrame } from "./protocol.js";

/** Where the link stands; `waiting` is the time between two attempts. */
export type LinkPhase = "idle" | "connecting" | "online" | "waiting";

/** What the link reports. */
export interface LinkEvents {
  /** The socket is open and nothing has been said: say hello now. */
  opened(): void;
  received(frame: ServerFrame): void;
  /** The phase changed; what was half received over the old socket is void. */
  changed(phase: LinkPhase): void;
}

const WELCOME_TIMEOUT_MS = 10_000;
/** A server that accepts and drops at once must not be called once a second for ever. */
const STABLE_AFTER_MS = 5_000;

/** The connection of one session. */
export class Link {
  #phase: LinkPhase = "idle";
  #socket: Socket | null = null;
  #attempt = 0;
  readonly #timer: Timer;

  constructor(
    private readonly env: Environment,
    private readonly events: LinkEvents,
  ) {
    this.#timer = new Timer(env.clock);
  }

  get phase(): LinkPhase {
    return this.#phase;
  }

  /** Connects, unless it is connected or about to be. Cuts the wait between attempts short. */
  open(): void {
    if (this.#phase === "idle" || this.#phase === "waiting") this.#connect();
  }

  /** Closes for good: only `open` connects again. */
  close(): void {
    this.#attempt = 0;
    this.#detach();
    this.#enter("idle");
  }

  /** Gives this socket up and tries again after the backoff, at least `leastMs` from now. */
  reconnect(leastMs = 0): void {
    this.#detach();
    const wait = Math.max(leastMs, backoffMs(this.#attempt, this.env.random()));
    this.#attempt += 1;
    this.#timer.set(wait, () => this.#connect());
    this.#enter("waiting");
  }

  /** The server has answered hello: the link is up. */
  welcomed(): void {
    this.#timer.set(STABLE_AFTER_MS, () => {
      this.#attempt = 0;
    });
    this.#enter("online");
  }

  send(frame: ClientFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #connect(): void {
    this.#detach();
    this.#enter("connecting");
    this.#timer.set(WELCOME_TIMEOUT_MS, () => this.reconnect());
    const socket = this.env.connect({
      opened: () => this.#if(socket, () => this.events.opened()),
      received: (text) => this.#if(socket, () => this.#receive(text)),
      closed: () => this.#if(socket, () => this.reconnect()),
    });
    this.#socket = socket;
  }

  /** Runs only if `socket` is still the current one: a closed socket's late events are void. */
  #if(socket: Socket, run: () => void): void {
    if (socket === this.#socket) run();
  }

  #receive(text: string): void {
    const frame = parseFrame(text);
    if (frame) this.events.received(frame);
  }

  #detach(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#timer.clear();
    socket?.close();
  }

  #enter(phase: LinkPhase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.events.changed(phase);
  }
}
