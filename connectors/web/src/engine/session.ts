/**
 * The customer's side of one conversation: a state machine over an injected socket and clock.
 *
 * It keeps three promises whatever the network does: a message written is stored exactly once
 * (it is sent again under its own id until acknowledged), a message received is shown exactly once
 * and in order (by `seq`), and a reply half written when the connection breaks leaves no trace.
 */

import { Drafts, type Draft } from "./drafts.js";
import { Timer, type Environment } from "./environment.js";
import { Link, type LinkPhase } from "./link.js";
import { MessageLog } from "./log.js";
import { Outbox, type Hold, type Outgoing } from "./outbox.js";
import type { ClientFrame, ConversationState, Message, ServerFrame } from "./protocol.js";
import type { Memory, MemoryStore } from "./store.js";
import { TypingSignal } from "./typing.js";

/** Everything a view needs to draw the conversation. */
export interface Snapshot {
  readonly phase: LinkPhase;
  readonly state: ConversationState;
  readonly messages: readonly Message[];
  readonly outbox: readonly Outgoing[];
  readonly drafts: readonly Draft[];
  /** The bot or a person is writing. */
  readonly typing: boolean;
  /** About how many seconds pass until there is something to read, where that is long. */
  readonly wait: number | null;
  readonly unread: number;
  readonly rated: boolean;
  /** The token was refused: nothing goes on until the page identifies its customer again. */
  readonly signedOut: boolean;
  readonly hold: Hold | null;
}

/** What a session reports. */
export type SessionEvent =
  | { readonly type: "changed" }
  | { readonly type: "received"; readonly message: Message }
  | { readonly type: "signed_out" };

/** Who talks, in which language, and where the conversation is kept. */
export interface SessionOptions {
  readonly token: string | null;
  readonly language: string;
  readonly store: MemoryStore;
}

const GAP_PATIENCE_MS = 3_000;
const DEFAULT_HOLD_MS = 3_000;

/** One conversation, from the first word to the rating. */
export class Session {
  #token: string | null;
  #conversation: string | null = null;
  #state: ConversationState = "bot";
  #log = new MessageLog();
  #typing = false;
  #wait: number | null = null;
  #reading = false;
  #read = 0;
  #rated = false;
  #signedOut = false;
  /** Wishes said while the link was down. */
  #wishes: ClientFrame[] = [];
  /** The parts that were last saved: saving at every delta would be wasteful. */
  #saved: readonly unknown[] = [];

  readonly #drafts = new Drafts();
  readonly #link: Link;
  readonly #signal: TypingSignal;
  readonly #outbox: Outbox;
  readonly #gapTimer: Timer;

  constructor(
    env: Environment,
    private readonly options: SessionOptions,
    private readonly report: (event: SessionEvent) => void,
  ) {
    this.#token = options.token;
    this.#link = new Link(env, {
      opened: () => this.#sayHello(),
      received: (frame) => this.#receive(frame),
      changed: () => this.#linkChanged(),
    });
    this.#signal = new TypingSignal(env.clock, (on) => this.#sayTyping(on));
    this.#outbox = new Outbox(env, {
      ready: () => this.#link.phase === "online",
      send: (frame) => this.#link.send(frame),
      mute: () => this.#link.reconnect(),
      changed: () => this.#changed(),
    });
    this.#gapTimer = new Timer(env.clock);
    this.#recall(options.store.load());
  }

  /** Whether there is a conversation to go on with. */
  get hasConversation(): boolean {
    return this.#conversation !== null;
  }

  snapshot(): Snapshot {
    return {
      phase: this.#link.phase,
      state: this.#state,
      messages: this.#log.messages,
      outbox: this.#outbox.entries,
      drafts: this.#drafts.all,
      typing: this.#typing,
      wait: this.#typing ? this.#wait : null,
      unread: this.#log.messages.filter((m) => m.author !== "customer" && m.seq > this.#read).length,
      rated: this.#rated,
      signedOut: this.#signedOut,
      hold: this.#outbox.hold,
    };
  }

  /** Connects; also cuts the wait for the next attempt short. */
  start(): void {
    if (!this.#signedOut) this.#link.open();
  }

  /** Closes for good. */
  stop(): void {
    this.#signal.sent();
    this.#link.close();
  }

  /** The device lost its network: a socket that hangs is given up without waiting for a timeout. */
  networkLost(): void {
    if (this.#link.phase === "online" || this.#link.phase === "connecting") this.#link.reconnect();
  }

  /** Uses a fresh token of the same customer, or none, from the next connection on. */
  renewToken(token: string | null): void {
    this.#token = token;
    if (!this.#signedOut) return;
    this.#signedOut = false;
    this.#link.open();
    this.#changed();
  }

  /** Sends what the customer wrote, or the text of the quick reply `pressed`. Blank text is not sent. */
  send(text: string, pressed?: string): void {
    const trimmed = text.trim();
    if (trimmed === "") return;
    if (this.#state === "closed") this.startOver();
    this.#signal.sent();
    this.#outbox.post(trimmed, pressed);
    this.start();
    this.#changed();
  }

  /** Sends a message again that was delayed or rejected. */
  retry(id: string): void {
    const entry = this.#outbox.find(id);
    if (!entry) return;
    if (this.#state === "closed") this.startOver();
    this.#outbox.retry(entry);
    this.start();
    this.#changed();
  }

  /** The customer pressed a key in the message field; `empty` when that left nothing in it. */
  keystroke(empty: boolean): void {
    if (this.#state === "closed") return;
    if (empty) this.#signal.stop();
    else this.#signal.keystroke();
  }

  /** Asks for a person. */
  requestPerson(): void {
    this.#wish({ type: "human" });
  }

  /** Ends the conversation. */
  end(): void {
    this.#wish({ type: "end" });
  }

  /** Rates the conversation from 1 to 5. */
  rate(score: number, comment: string): void {
    const words = comment.trim();
    this.#rated = true;
    this.#wish({ type: "rate", score, ...(words !== "" && { comment: words }) });
    this.#changed();
  }

  /** Leaves this conversation; takes up the one that another tab has begun meanwhile, if any. */
  startOver(): void {
    const stored = this.options.store.load();
    const begunElsewhere = stored !== null && stored.conversation !== this.#conversation;
    if (!begunElsewhere) this.options.store.clear();
    this.#forget();
    this.#wishes = [];
    this.#recall(begunElsewhere ? stored : null);
    this.#link.close();
    this.start();
    this.#changed();
  }

  /** Says whether the customer has the messages before their eyes. */
  setReading(reading: boolean): void {
    this.#reading = reading;
    this.#changed();
  }

  #sayHello(): void {
    // Another tab may have begun a conversation since this page was loaded.
    if (this.#conversation === null) this.#recall(this.options.store.load());
    this.#link.send({
      type: "hello",
      ...(this.#token !== null && { token: this.#token }),
      ...(this.#conversation !== null && { conversation: this.#conversation, after: this.#log.seen }),
      language: this.options.language,
    });
  }

  #receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        this.#welcome(frame.conversation, frame.seq);
        break;
      case "ack":
        this.#acknowledge(frame.id, frame.seq);
        break;
      case "typing":
        this.#typing = frame.on;
        this.#wait = frame.wait ?? null;
        break;
      // What the bot was still saying when it was silenced is given up.
      case "delta":
        if (this.#state === "bot") this.#drafts.append(frame.turn, frame.text);
        break;
      case "preview":
        if (this.#state === "bot") this.#drafts.preview(frame.turn, frame);
        break;
      case "message":
        this.#take(frame);
        break;
      case "status":
        this.#enterState(frame.state);
        break;
      case "error":
        this.#refused(frame);
        break;
    }
    this.#changed();
  }

  #welcome(conversation: string, seq: number): void {
    const other = conversation !== this.#conversation;
    // A server restored from a backup knows fewer messages than we do: its history is the true one.
    if (!other && seq < this.#log.seen) {
      this.#log = new MessageLog();
      this.#read = Math.min(this.#read, seq);
      this.#link.reconnect();
      return;
    }
    if (other) this.#forget();
    this.#conversation = conversation;
    this.#link.welcomed();
    for (const wish of this.#wishes.splice(0)) this.#link.send(wish);
    this.#outbox.flush();
  }

  #acknowledge(id: string, seq: number): void {
    const entry = this.#outbox.take(id);
    if (!entry) return;
    this.#take({ seq, id, author: "customer", text: entry.text, at: entry.at, sources: [], actions: [] });
  }

  #take(message: Message): void {
    if (message.id !== undefined) this.#outbox.take(message.id);
    if (message.turn !== undefined) this.#drafts.finish(message.turn);
    if (message.author !== "customer") this.#typing = false;
    const isNew = this.#log.put(message);
    if (!this.#log.hasGap) this.#gapTimer.clear();
    else if (!this.#gapTimer.pending) this.#gapTimer.set(GAP_PATIENCE_MS, () => this.#link.reconnect());
    if (isNew && message.author !== "customer") this.report({ type: "received", message });
  }

  #enterState(state: ConversationState): void {
    this.#state = state;
    if (state === "bot") return;
    this.#typing = false;
    this.#drafts.clear();
    if (state === "closed") this.#signal.sent();
  }

  #refused(error: Extract<ServerFrame, { type: "error" }>): void {
    const online = this.#link.phase === "online";
    const waitMs = error.retryAfter === undefined ? undefined : error.retryAfter * 1000;
    switch (error.code) {
      case "bad_token":
        this.#signedOut = true;
        this.#link.close();
        this.report({ type: "signed_out" });
        break;
      case "unknown_conversation":
        this.options.store.clear();
        this.#forget();
        this.#link.reconnect();
        break;
      case "too_fast":
      case "unavailable":
        if (online) this.#outbox.pause(error.code, waitMs ?? DEFAULT_HOLD_MS);
        else this.#link.reconnect(waitMs);
        break;
      case "going_away":
        this.#link.reconnect(waitMs);
        break;
      case "out_of_turn":
        // After the welcome, a message is out of turn only if the conversation has ended.
        if (online && this.#outbox.waiting) this.#enterState("closed");
        this.#outbox.rejectAll();
        break;
      case "malformed":
      case "too_big":
      case "empty":
        this.#outbox.rejectOldest();
        break;
    }
  }

  #wish(frame: ClientFrame): void {
    if (this.#link.phase === "online") this.#link.send(frame);
    else this.#wishes.push(frame);
    this.start();
  }

  #sayTyping(on: boolean): void {
    if (this.#link.phase === "online" && !this.#outbox.hold) this.#link.send({ type: "typing", on });
  }

  #linkChanged(): void {
    if (this.#link.phase !== "online") {
      this.#drafts.clear();
      this.#typing = false;
      this.#outbox.interrupt();
      this.#gapTimer.clear();
    }
    this.#changed();
  }

  /** Back to an empty conversation; what the customer has written and not got through stays. */
  #forget(): void {
    this.#conversation = null;
    this.#state = "bot";
    this.#log = new MessageLog();
    this.#drafts.clear();
    this.#typing = false;
    this.#read = 0;
    this.#rated = false;
  }

  #recall(memory: Memory | null): void {
    if (!memory) return;
    this.#conversation = memory.conversation;
    this.#state = memory.state;
    this.#log = new MessageLog(memory.messages);
    this.#outbox.restore(memory.outbox);
    this.#read = memory.read;
    this.#rated = memory.rated;
  }

  #remember(): void {
    if (this.#conversation === null) return;
    const parts = [
      this.#conversation, this.#state, this.#log.messages, this.#outbox.entries, this.#read, this.#rated,
    ];
    if (parts.every((part, i) => part === this.#saved[i])) return;
    this.#saved = parts;
    this.options.store.save({
      conversation: this.#conversation,
      state: this.#state,
      // Beyond a gap nothing is kept, so that the stored copy never claims what it has not got.
      messages: this.#log.messages.filter((message) => message.seq <= this.#log.seen),
      outbox: this.#outbox.entries,
      read: this.#read,
      rated: this.#rated,
    });
  }

  #changed(): void {
    if (this.#reading) this.#read = Math.max(this.#read, this.#log.messages.at(-1)?.seq ?? 0);
    this.#remember();
    this.report({ type: "changed" });
  }
}
