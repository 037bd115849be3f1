/**
 * The scrolling list of messages. Stored messages live in a polite live region; drafts live beside
 * it, so that a screen reader hears a reply once, whole, and not at every delta.
 */

import type { QuickReply } from "../engine/protocol.js";
import type { Snapshot } from "../engine/session.js";
import { h, icon, show } from "./dom.js";
import { DraftRow, dayRow, messageRow, outgoingRow, typingRow, type RowContext } from "./rows.js";
import { offeredReplies, threadItems, type Item } from "./thread-items.js";

/** What the thread asks of the chat. */
export interface ThreadContext extends RowContext {
  choose(reply: QuickReply): void;
}

/** Scrolled less than this from the end counts as at the end. */
const PINNED_PX = 60;

/** The thread of one chat view. */
export class Thread {
  readonly element: HTMLElement;
  readonly #log: HTMLElement;
  readonly #drafts: HTMLElement;
  readonly #replies: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #more: HTMLButtonElement;
  readonly #rows = new Map<string, { version: string; node: HTMLElement }>();
  readonly #draftRows = new Map<string, DraftRow>();
  #dots: HTMLElement | null = null;
  /** What the dots say beside themselves. */
  #note: string | null = null;
  #lastSeq = 0;
  #draftShown = false;
  #repliesFor = "";
  #pinned = true;
  /** What is there at the first drawing does not move in: it has been there all along. */
  #drawn = false;

  constructor(private readonly context: ThreadContext) {
    const { strings } = context;
    this.#log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": strings.conversation });
    this.#drafts = h("div", { class: "drafts" });
    this.#replies = h("div", { class: "replies" });
    const intro = h("p", { class: "intro" }, strings.intro);
    this.#scroller = h(
      "div",
      { class: "scroller", tabindex: 0, role: "group", "aria-label": strings.conversation, on: { scroll: () => this.#scrolled() } },
      intro, this.#log, this.#drafts, this.#replies,
    );
    this.#more = h(
      "button",
      { type: "button", class: "more", hidden: true, on: { click: () => this.toEnd() } },
      icon("down"), strings.newMessages,
    );
    this.element = h("div", { class: "thread" }, this.#scroller, this.#more);
  }

  /** Draws `snapshot`. */
  update(snapshot: Snapshot): void {
    const lastSeq = snapshot.messages.at(-1)?.seq ?? 0;
    const grown = lastSeq > this.#lastSeq || snapshot.outbox.length > 0;
    this.#lastSeq = lastSeq;
    this.#drawLog(threadItems(snapshot, Date.now(), this.context.language));
    this.#drawDrafts(snapshot);
    this.#drawReplies(offeredReplies(snapshot), lastSeq);
    this.#drawn = true;
    if (this.#pinned) this.toEnd();
    else if (grown) show(this.#more, true);
  }

  /** Scrolls to the newest message, and stays there. */
  toEnd(): void {
    this.#pinned = true;
    show(this.#more, false);
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#pinned = scrollHeight - scrollTop - clientHeight < PINNED_PX;
    if (this.#pinned) show(this.#more, false);
  }

  /** Keeps every row that is as it was: a row drawn anew would be animated and read out again. */
  #drawLog(items: readonly Item[]): void {
    const keys = new Set(items.map((item) => item.key));
    for (const [key, { node }] of this.#rows) {
      if (keys.has(key)) continue;
      node.remove();
      this.#rows.delete(key);
    }
    let next: ChildNode | null = this.#log.firstChild;
    for (const item of items) {
      const node = this.#rowFor(item);
      if (next && !next.parentNode) next = node; // the row that stood here was drawn anew
      if (node === next) next = next.nextSibling;
      else this.#log.insertBefore(node, next);
    }
  }

  #rowFor(item: Item): HTMLElement {
    const known = this.#rows.get(item.key);
    if (known?.version === item.version) return known.node;
    const node = this.#draw(item);
    if (known) known.node.replaceWith(node);
    else if (this.#drawn && !this.#replacesDraft(item)) node.classList.add("enter");
    this.#rows.set(item.key, { version: item.version, node });
    return node;
  }

  /** A message that ends a turn whose draft could be read is already before the customer's eyes. */
  #replacesDraft(item: Item): boolean {
    return item.kind === "message" && item.message.turn !== undefined && this.#draftShown;
  }

  #draw(item: Item): HTMLElement {
    switch (item.kind) {
      case "day":
        return dayRow(item.label);
      case "message":
        return messageRow(item.message, item.joins, item.sent, this.context);
      case "outgoing":
        return outgoingRow(item.outgoing, item.joins, this.context);
    }
  }

  /** Rows of drafts live as long as their turn: drawn anew, they would be animated at every delta. */
  #drawDrafts({ drafts, typing, wait, state }: Snapshot): void {
    const { strings } = this.context;
    const turns = new Set(drafts.map((draft) => draft.turn));
    for (const [turn, row] of this.#draftRows) {
      if (turns.has(turn)) continue;
      row.element.remove();
      this.#draftRows.delete(turn);
    }
    for (const draft of drafts) this.#draftRow(draft.turn).update(draft);
    this.#draftShown = drafts.some((draft) => draft.text !== "");
    const label = state === "human" ? strings.personIsTyping : strings.isTyping;
    this.#drawDots(typing && !this.#draftShown, label, wait === null ? null : strings.waitAbout(wait));
  }

  #draftRow(turn: string): DraftRow {
    const known = this.#draftRows.get(turn);
    if (known) return known;
    const row = new DraftRow(turn, this.context.strings);
    this.#draftRows.set(turn, row);
    this.#drafts.append(row.element);
    return row;
  }

  #drawDots(visible: boolean, label: string, note: string | null): void {
    if (!visible) {
      this.#dots?.remove();
      this.#dots = null;
      return;
    }
    if (note !== this.#note) this.#dots?.remove();
    if (!this.#dots?.isConnected) this.#dots = typingRow(label, note);
    this.#note = note;
    if (this.#drafts.lastElementChild !== this.#dots) this.#drafts.append(this.#dots);
  }

  #drawReplies(replies: readonly QuickReply[], lastSeq: number): void {
    const shown = replies.length === 0 ? "" : `${lastSeq}:${replies.map((reply) => reply.text).join("|")}`;
    if (shown === this.#repliesFor) return;
    this.#repliesFor = shown;
    this.#replies.replaceChildren(...replies.map((reply) => this.#replyButton(reply)));
  }

  #replyButton(reply: QuickReply): HTMLElement {
    return h(
      "button",
      { type: "button", class: "reply", dir: "auto", on: { click: () => this.context.choose(reply) } },
      reply.kind === "human" && icon("person"),
      reply.text,
    );
  }
}
