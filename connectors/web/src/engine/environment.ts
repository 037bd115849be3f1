/**
 * What the engine needs from outside: sockets, time, chance, ids. Tests hand in their own, so that
 * minutes of backoff pass in microseconds and every run is the same.
 */

/** An open or opening connection. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

/** What a socket reports. `closed` comes at most once, also after a failed attempt to connect. */
export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  closed(): void;
}

/** Undoes something, such as a timer; doing it twice does no harm. */
export type Cancel = () => void;

/** Time, and timers in it. */
export interface Clock {
  /** UTC milliseconds since the epoch. */
  now(): number;
  after(ms: number, run: () => void): Cancel;
}

/** Everything that the engine takes from its surroundings. */
export interface Environment {
  readonly clock: Clock;
  connect(events: SocketEvents): Socket;
  /** In `[0, 1)`. */
  random(): number;
  /** A fresh id, never given before. */
  newId(): string;
}

/** A timer that can be set again: setting it cancels what it was set to. */
export class Timer {
  #cancel: Cancel | null = null;

  constructor(private readonly clock: Clock) {}

  get pending(): boolean {
    return this.#cancel !== null;
  }

  set(ms: number, run: () => void): void {
    this.clear();
    this.#cancel = this.clock.after(ms, () => {
      this.#cancel = null;
      run();
    });
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

/** The browser's own sockets, clock and randomness, for the chat at `url` (`ws:` or `wss:`). */
export function browserEnvironment(url: string): Environment {
  return {
    clock: {
      now: () => Date.now(),
      after(ms, run) {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    },
    connect: (events) => openWebSocket(url, events),
    random: () => Math.random(),
    newId: randomId,
  };
}

function openWebSocket(url: string, events: SocketEvents): Socket {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url);
  } catch {
    // Refused by the page's own rules (mixed content, say): as good as a failed attempt.
    setTimeout(events.closed);
    return { send: () => {}, close: () => {} };
  }
  socket.onopen = () => events.opened();
  socket.onmessage = (event) => {
    if (typeof event.data === "string") events.received(event.data);
  };
  socket.onclose = () => events.closed();
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
}

/** 128 random bits in hex. Not `randomUUID`, which pages served over plain HTTP do not have. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
