/** The messages of one conversation, in order and once each, however they arrive. */

import type { Message } from "./protocol.js";

/** Stored messages by `seq`. */
export class MessageLog {
  #messages: Message[] = [];
  /** What came before it has been let go and is not missed. */
  readonly #oldest: number;

  constructor(messages: readonly Message[] = []) {
    this.#oldest = messages[0]?.seq ?? 1;
    for (const message of messages) this.put(message);
  }

  /** All messages, oldest first. A new array after every change. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** The last `seq` before the first gap, 0 if there is none: what `hello` may say it has seen. */
  get seen(): number {
    let last = this.#oldest - 1;
    for (const message of this.#messages) {
      if (message.seq > last + 1) break;
      last = Math.max(last, message.seq);
    }
    return last;
  }

  /** Whether a message is missing between two known ones. */
  get hasGap(): boolean {
    return this.seen < (this.#messages.at(-1)?.seq ?? 0);
  }

  /** Takes a message in; whether it was new. A known `seq` is replaced: the newer copy is the server's. */
  put(message: Message): boolean {
    const at = this.#messages.findIndex((known) => known.seq >= message.seq);
    const known = at >= 0 && this.#messages[at]?.seq === message.seq;
    this.#messages = at < 0 ? [...this.#messages, message] : this.#messages.toSpliced(at, known ? 1 : 0, message);
    return !known;
  }
}
