/** The field that messages are written in. */

import { MESSAGE_LIMIT } from "../engine/protocol.js";
import type { Strings } from "../i18n.js";
import { h, icon, setText, show } from "./dom.js";

/** What the composer asks of the chat. */
export interface ComposerContext {
  readonly strings: Strings;
  send(text: string): void;
  keystroke(empty: boolean): void;
}

/** From here on the counter is shown. */
const COUNT_FROM = MESSAGE_LIMIT - 400;

/** The composer of one chat view. */
export class Composer {
  readonly element: HTMLElement;
  readonly #field: HTMLTextAreaElement;
  readonly #button: HTMLButtonElement;
  readonly #counter: HTMLElement;

  constructor(private readonly context: ComposerContext) {
    const { strings } = context;
    this.#field = h("textarea", {
      rows: 1, dir: "auto", autocomplete: "off", enterkeyhint: "send",
      "aria-label": strings.composerLabel, placeholder: strings.composerHint, "aria-describedby": "counter",
      on: { keydown: (event) => this.#key(event), input: () => this.#input() },
    });
    this.#button = h("button", { type: "submit", class: "send", "aria-label": strings.send, title: strings.send }, icon("send"));
    this.#counter = h("div", { class: "counter", id: "counter", role: "status", hidden: true });
    const submit = (event: Event) => {
      event.preventDefault();
      this.#submit();
    };
    this.element = h(
      "form",
      { class: "composer", on: { submit } },
      h("div", { class: "field" }, this.#field, this.#button),
      this.#counter,
    );
    this.#measure();
  }

  /** What is written and not sent. */
  get text(): string {
    return this.#field.value;
  }

  set text(text: string) {
    this.#field.value = text;
    this.#measure();
  }

  focus(): void {
    this.#field.focus();
  }

  #input(): void {
    this.#measure();
    this.context.keystroke(this.#field.value === "");
  }

  #key(event: KeyboardEvent): void {
    // While an input method composes, Enter chooses a word: it must not send half of one.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit();
  }

  #submit(): void {
    const text = this.#field.value;
    this.#field.focus();
    if (text.trim() === "" || lengthOf(text) > MESSAGE_LIMIT) return;
    this.text = "";
    this.context.send(text);
  }

  /** Fits field, counter and button to the text. */
  #measure(): void {
    const { value, style } = this.#field;
    const length = lengthOf(value);
    const tooLong = length > MESSAGE_LIMIT;
    style.height = "auto";
    if (value !== "") style.height = `${this.#field.scrollHeight}px`;
    show(this.#counter, length >= COUNT_FROM);
    setText(this.#counter, length >= COUNT_FROM ? this.context.strings.charactersLeft(MESSAGE_LIMIT - length) : "");
    this.#counter.classList.toggle("over", tooLong);
    this.#field.setAttribute("aria-invalid", String(tooLong));
    this.#button.disabled = tooLong || value.trim() === "";
  }
}

/** Length in characters as the server counts them, without the blanks at both ends. */
function lengthOf(text: string): number {
  return [...text.trim()].length;
}
