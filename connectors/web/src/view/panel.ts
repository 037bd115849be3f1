/** The whole of what one sees: launcher button and panel, put together and kept in step. */

import type { QuickReply } from "../engine/protocol.js";
import type { Snapshot } from "../engine/session.js";
import type { Language, Strings } from "../i18n.js";
import { closedCard, endQuestion } from "./closing.js";
import { Composer } from "./composer.js";
import { h, icon, setText, show } from "./dom.js";
import { Header } from "./header.js";
import { noticeOf } from "./notice.js";
import { Thread } from "./thread.js";

/** What the customer can do. */
export interface ChatActions {
  open(): void;
  close(): void;
  send(text: string, pressed?: string): void;
  retry(id: string): void;
  keystroke(empty: boolean): void;
  requestPerson(): void;
  end(): void;
  rate(score: number, comment: string): void;
  startOver(): void;
}

/** The words that the panel is written in. */
export interface PanelText {
  readonly strings: Strings;
  readonly language: Language;
  readonly title: string;
}

/** Launcher and panel. */
export class Panel {
  readonly element: HTMLElement;
  readonly #launcher: HTMLButtonElement;
  readonly #badge = h("span", { class: "badge", hidden: true, "aria-hidden": "true" });
  readonly #panel: HTMLElement;
  readonly #header: Header;
  readonly #notice = h("div", { class: "notice", role: "status", hidden: true });
  readonly #thread: Thread;
  readonly #composer: Composer;
  readonly #foot = h("div", { class: "foot" });
  #footShows = "";
  #askingToEnd = false;
  #wasOnline = false;
  #open = false;
  #snapshot: Snapshot | null = null;

  constructor(
    private readonly text: PanelText,
    private readonly actions: ChatActions,
  ) {
    const { strings, language, title } = text;
    this.#header = new Header({
      strings, title,
      requestPerson: () => actions.requestPerson(),
      askToEnd: () => this.#askToEnd(true),
      close: () => actions.close(),
    });
    this.#thread = new Thread({ strings, language, retry: actions.retry, choose: (reply) => this.#choose(reply) });
    this.#composer = new Composer({ strings, send: (message) => this.#send(message), keystroke: actions.keystroke });
    this.#launcher = h("button", { type: "button", class: "launcher", on: { click: () => this.#toggle() } });
    this.#launcher.append(icon("chat"), icon("down"), this.#badge);
    this.#panel = h(
      "section",
      { class: "panel", id: "panel", role: "dialog", "aria-label": title, tabindex: -1, on: { keydown: (e) => this.#key(e) } },
      this.#header.element, this.#notice, this.#thread.element, this.#foot,
    );
    this.#launcher.setAttribute("aria-controls", "panel");
    this.element = h("div", { class: "frontdesk", lang: language }, this.#panel, this.#launcher);
  }

  /** What is written and not sent. */
  get draft(): string {
    return this.#composer.text;
  }

  set draft(text: string) {
    this.#composer.text = text;
  }

  /** Draws `snapshot`. */
  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#wasOnline ||= snapshot.phase === "online";
    if (snapshot.state === "closed") this.#askingToEnd = false;
    this.#drawBadge(snapshot.unread);
    this.#header.update(snapshot.state);
    this.#drawNotice(snapshot);
    this.#drawFoot(snapshot);
    this.#thread.update(snapshot);
  }

  /** Opens or closes the panel; `focus` takes the keyboard along. */
  setOpen(open: boolean, focus: boolean): void {
    const hadFocus = this.#panel.matches(":focus-within");
    this.#open = open;
    this.element.classList.toggle("open", open);
    this.#launcher.setAttribute("aria-expanded", String(open));
    this.#panel.inert = !open;
    this.#drawBadge(this.#snapshot?.unread ?? 0);
    if (open) this.#thread.toEnd();
    if (open && focus) this.#focusInside();
    else if (!open && hadFocus) this.#launcher.focus();
  }

  #toggle(): void {
    if (this.#open) this.actions.close();
    else this.actions.open();
  }

  /** On a phone a focused field would cover half of the chat with the keyboard before one has read it. */
  #focusInside(): void {
    const touch = matchMedia("(pointer: coarse)").matches;
    if (touch || !this.#composer.element.isConnected) this.#panel.focus();
    else this.#composer.focus();
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    if (this.#header.menuOpen) this.#header.closeMenu();
    else if (this.#askingToEnd) this.#askToEnd(false);
    else this.actions.close();
  }

  #send(text: string, pressed?: string): void {
    this.actions.send(text, pressed);
    this.#thread.toEnd();
  }

  #choose(reply: QuickReply): void {
    if (reply.kind === "human") this.actions.requestPerson();
    else this.#send(reply.text, reply.id);
    this.#composer.focus();
  }

  #askToEnd(asking: boolean): void {
    this.#askingToEnd = asking;
    if (this.#snapshot) this.#drawFoot(this.#snapshot);
    if (asking) this.#foot.querySelector("button")?.focus();
    else this.#composer.focus();
  }

  #drawBadge(unread: number): void {
    const { strings } = this.text;
    const count = this.#open ? 0 : unread;
    show(this.#badge, count > 0);
    setText(this.#badge, count > 9 ? "9+" : String(count));
    const label = this.#open ? strings.closeChat : count > 0 ? strings.openChatUnread(count) : strings.openChat;
    this.#launcher.setAttribute("aria-label", label);
  }

  #drawNotice(snapshot: Snapshot): void {
    const notice = noticeOf(snapshot, this.#wasOnline, this.text.strings);
    show(this.#notice, notice !== null);
    setText(this.#notice, notice?.text ?? "");
    this.#notice.className = `notice ${notice?.tone ?? ""}`;
  }

  #drawFoot({ state, rated }: Snapshot): void {
    const shows = state === "closed" ? `closed:${rated}` : this.#askingToEnd ? "question" : "composer";
    if (shows === this.#footShows) return;
    const hadFocus = this.#foot.matches(":focus-within");
    this.#footShows = shows;
    this.#foot.replaceChildren(this.#footFor(state, rated));
    this.#thread.toEnd();
    if (hadFocus) (this.#foot.querySelector<HTMLElement>("button, input, textarea") ?? this.#panel).focus();
  }

  #footFor(state: Snapshot["state"], rated: boolean): HTMLElement {
    const { strings } = this.text;
    if (state === "closed") {
      return closedCard(rated, { strings, rate: this.actions.rate, startOver: () => this.#startOver() });
    }
    if (!this.#askingToEnd) return this.#composer.element;
    return endQuestion(
      strings,
      () => {
        this.#askToEnd(false);
        this.actions.end();
      },
      () => this.#askToEnd(false),
    );
  }

  #startOver(): void {
    this.actions.startOver();
    this.#composer.focus();
  }
}
