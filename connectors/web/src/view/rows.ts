/** Draws single rows of the thread: messages, what is on its way, drafts, days. */

import type { Draft, Preview } from "../engine/drafts.js";
import type { Outgoing } from "../engine/outbox.js";
import type { Author, Message, Source } from "../engine/protocol.js";
import { timeLabel, type Language, type Strings } from "../i18n.js";
import { closeOpenMarks, safeAddress } from "../markdown.js";
import { h, icon } from "./dom.js";
import { outsideLink, plainText, richText } from "./rich-text.js";

/** What every row needs to know. */
export interface RowContext {
  readonly strings: Strings;
  readonly language: Language;
  retry(id: string): void;
}

/** "Today", between two days. */
export function dayRow(label: string): HTMLElement {
  return h("div", { class: "day" }, h("span", {}, label));
}

/** A stored message. */
export function messageRow(message: Message, joins: boolean, sent: boolean, context: RowContext): HTMLElement {
  const { strings, language } = context;
  if (message.author === "system") return systemRow(message, strings);
  const body = message.author === "customer" ? plainText(message.text) : richText(message.text, strings);
  const time = h("time", { class: "time", datetime: new Date(message.at).toISOString() }, timeLabel(message.at, language));
  return h(
    "div",
    { class: `row ${message.author}${joins ? " joins" : ""}` },
    !joins && byline(message.author, strings),
    h("div", { class: "line" }, h("div", { class: "bubble", dir: "auto" }, ...body), time),
    message.sources.length > 0 && sourceList(message.sources, strings),
    sent && h("div", { class: "delivery" }, icon("check"), strings.sent),
  );
}

/** A message that the server has not acknowledged. */
export function outgoingRow(outgoing: Outgoing, joins: boolean, context: RowContext): HTMLElement {
  return h(
    "div",
    { class: `row customer ${outgoing.delivery}${joins ? " joins" : ""}` },
    !joins && byline("customer", context.strings),
    h("div", { class: "line" }, h("div", { class: "bubble", dir: "auto" }, ...plainText(outgoing.text))),
    delivery(outgoing, context),
  );
}

/** A reply being written; its preview stands above it and stays put while the text grows. */
export class DraftRow {
  readonly element: HTMLElement;
  readonly #bubble = h("div", { class: "bubble", dir: "auto" });
  #preview: HTMLElement | null = null;
  #text = "";

  constructor(
    turn: string,
    private readonly strings: Strings,
  ) {
    this.element = h("div", { class: "row bot", "data-turn": turn }, byline("bot", strings));
  }

  /** Shows how far `draft` has come. */
  update(draft: Draft): void {
    if (draft.preview && !this.#preview) {
      this.#preview = previewCard(draft.preview, this.strings);
      this.element.firstElementChild?.after(this.#preview);
    }
    if (draft.text === this.#text) return;
    this.#text = draft.text;
    const body = richText(closeOpenMarks(draft.text), this.strings);
    this.#bubble.replaceChildren(...body);
    if (body.length > 0 && !this.#bubble.isConnected) this.element.append(h("div", { class: "line" }, this.#bubble));
  }
}

function previewCard(preview: Preview, strings: Strings): HTMLElement {
  return h(
    "figure",
    { class: "preview" },
    h("figcaption", {}, icon("book"), strings.fromHelpPages),
    h("blockquote", { dir: "auto" }, ...richText(preview.text, strings)),
    preview.sources.length > 0 && sourceList(preview.sources, strings),
  );
}

/** Three dots, while someone writes and nothing can be read yet; with `note`, why that takes long. */
export function typingRow(label: string, note: string | null): HTMLElement {
  const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  const words = h("span", { class: note === null ? "unseen" : "wait" }, note ?? label);
  return h("div", { class: "row bot" }, h("div", { class: "bubble" }, dots, words));
}

function systemRow(message: Message, strings: Strings): HTMLElement {
  return h("div", { class: "row system", dir: "auto" }, ...richText(message.text, strings));
}

/** The bubbles' sides tell who wrote; for those who cannot see them, and for people, words do. */
function byline(author: Exclude<Author, "system">, strings: Strings): HTMLElement {
  if (author === "agent") return h("div", { class: "byline" }, icon("person"), strings.person);
  return h("div", { class: "unseen" }, author === "bot" ? strings.assistant : strings.you);
}

function delivery(outgoing: Outgoing, { strings, retry }: RowContext): HTMLElement {
  if (outgoing.delivery === "sending") return h("div", { class: "delivery pending" }, strings.sending);
  return h(
    "div",
    { class: "delivery failed" },
    icon("alert"),
    outgoing.delivery === "delayed" ? strings.delayed : strings.rejected,
    " ",
    h("button", { type: "button", class: "retry", on: { click: () => retry(outgoing.id) } }, strings.retry),
  );
}

function sourceList(sources: readonly Source[], strings: Strings): HTMLElement {
  return h("div", { class: "sources" }, h("span", { class: "from" }, strings.from), ...sources.map((s) => chip(s, strings)));
}

function chip(source: Source, strings: Strings): HTMLElement {
  const label = h("span", { class: "chip-text", dir: "auto" }, source.title);
  const href = source.url === undefined ? null : safeAddress(source.url);
  const element = href === null ? h("span", {}, icon("page"), label) : outsideLink(href, strings, icon("page"), label);
  element.classList.add("chip");
  element.title = source.title;
  return element;
}
