/** A session with a clock, sockets and a store that the test moves by hand. */

import type { Cancel, Environment, SocketEvents } from "../../src/engine/environment.js";
import type { ClientFrame } from "../../src/engine/protocol.js";
import { Session, type SessionEvent } from "../../src/engine/session.js";
import type { Memory, MemoryStore } from "../../src/engine/store.js";

/** Time that passes when told to. */
export class FakeClock {
  #now = 1_700_000_000_000;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Cancel {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Lets `ms` pass, running what falls due on the way. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}

/** The server's end of one connection. */
export class FakeSocket {
  readonly sent: ClientFrame[] = [];
  closed = false;

  constructor(readonly events: SocketEvents) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientFrame);
  }

  close(): void {
    this.closed = true;
  }

  /** The server says `frame`. */
  say(frame: object): void {
    this.events.received(JSON.stringify(frame));
  }

  sentOf<T extends ClientFrame["type"]>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.sent.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type);
  }
}

/** A store in memory; two sessions may share one, as two tabs do. */
export class FakeStore implements MemoryStore {
  constructor(public memory: Memory | null = null) {}
  load = (): Memory | null => this.memory;
  save = (memory: Memory): void => {
    this.memory = memory;
  };
  clear = (): void => {
    this.memory = null;
  };
}

/** A session on the bench. */
export class Bench {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];
  readonly events: SessionEvent[] = [];
  readonly session: Session;
  #ids = 0;

  constructor(readonly store = new FakeStore(), token: string | null = null, idPrefix = "id") {
    const env: Environment = {
      clock: this.clock,
      connect: (events) => {
        const socket = new FakeSocket(events);
        this.sockets.push(socket);
        return socket;
      },
      random: () => 0.5,
      newId: () => `${idPrefix}${++this.#ids}`,
    };
    this.session = new Session(env, { token, language: "en", store }, (event) => this.events.push(event));
  }

  /** The newest connection. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("nothing has connected yet");
    return socket;
  }

  get view() {
    return this.session.snapshot();
  }

  get texts(): string[] {
    return this.view.messages.map((message) => message.text);
  }

  /** Connects, and the server welcomes to `conversation`. */
  online(conversation = "c1", seq = 0): this {
    this.session.start();
    return this.welcome(conversation, seq);
  }

  welcome(conversation = "c1", seq = 0): this {
    this.socket.events.opened();
    this.socket.say({ type: "welcome", conversation, seq });
    return this;
  }

  /** The connection breaks, and the next attempt is made. */
  breakAndReconnect(): this {
    this.socket.events.closed();
    return this.untilConnecting();
  }

  /** Lets time pass until the next attempt to connect. */
  untilConnecting(): this {
    for (let waited = 0; this.view.phase !== "connecting"; waited += 50) {
      if (waited > 120_000) throw new Error("it does not connect");
      this.clock.pass(50);
    }
    return this;
  }
}

/** A message frame. */
export function message(seq: number, fields: object = {}): object {
  return { type: "message", seq, author: "bot", text: `text ${seq}`, at: seq * 1000, ...fields };
}
