/** The panel's head: whom one talks to, the menu, and the way out. */

import type { ConversationState } from "../engine/protocol.js";
import type { Strings } from "../i18n.js";
import { h, icon, setText, show } from "./dom.js";

/** What the header asks of the chat. */
export interface HeaderContext {
  readonly strings: Strings;
  readonly title: string;
  requestPerson(): void;
  askToEnd(): void;
  close(): void;
}

/** The header of one chat view. */
export class Header {
  readonly element: HTMLElement;
  readonly #avatar = h("div", { class: "avatar" });
  readonly #label = h("span", { class: "who" });
  readonly #menu: HTMLElement;
  readonly #menuButton: HTMLButtonElement;
  readonly #person: HTMLButtonElement;
  #state: ConversationState | null = null;

  constructor(private readonly context: HeaderContext) {
    const { strings, title } = context;
    this.#person = this.#entry("person", strings.talkToPerson, () => context.requestPerson());
    const end = this.#entry("leave", strings.endChat, () => context.askToEnd());
    this.#menu = h(
      "div",
      { class: "menu", role: "menu", hidden: true, "aria-label": strings.menu, on: { keydown: (e) => this.#menuKey(e) } },
      this.#person, end,
    );
    this.#menuButton = h(
      "button",
      {
        type: "button", class: "tool", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": strings.menu,
        title: strings.menu, on: { click: () => (this.menuOpen ? this.closeMenu() : this.#openMenu()) },
      },
      icon("more"),
    );
    const close = h(
      "button",
      { type: "button", class: "tool close", "aria-label": strings.closeChat, title: strings.closeChat, on: { click: () => context.close() } },
      icon("down"),
    );
    this.element = h(
      "header",
      { on: { focusout: (event) => this.#focusLeft(event) } },
      this.#avatar,
      h("div", { class: "heading" }, h("h2", { dir: "auto" }, title), this.#label),
      this.#menuButton, close, this.#menu,
    );
  }

  get menuOpen(): boolean {
    return !this.#menu.hidden;
  }

  /** Shows who answers now. */
  update(state: ConversationState): void {
    if (state === this.#state) return;
    this.#state = state;
    const { strings } = this.context;
    const human = state === "human";
    setText(this.#label, human ? strings.personLabel : strings.assistantLabel);
    this.element.classList.toggle("human", human);
    this.#avatar.replaceChildren(icon(human ? "person" : "spark"));
    show(this.#person, state === "bot");
    show(this.#menuButton, state !== "closed");
    if (state === "closed") show(this.#menu, false);
  }

  closeMenu(): void {
    if (!this.menuOpen) return;
    this.#setMenu(false);
    this.#menuButton.focus();
  }

  #openMenu(): void {
    this.#setMenu(true);
    this.#entries()[0]?.focus();
  }

  #setMenu(open: boolean): void {
    show(this.#menu, open);
    this.#menuButton.setAttribute("aria-expanded", String(open));
  }

  #entries(): HTMLElement[] {
    return [...this.#menu.querySelectorAll<HTMLElement>("[role=menuitem]:not([hidden])")];
  }

  #entry(name: "person" | "leave", label: string, run: () => void): HTMLButtonElement {
    const choose = () => {
      this.closeMenu();
      run();
    };
    return h("button", { type: "button", role: "menuitem", tabindex: -1, on: { click: choose } }, icon(name), label);
  }

  #menuKey(event: KeyboardEvent): void {
    const entries = this.#entries();
    const at = entries.findIndex((entry) => entry.matches(":focus"));
    const goals: Partial<Record<string, number>> = {
      ArrowDown: (at + 1) % entries.length,
      ArrowUp: (at - 1 + entries.length) % entries.length,
      Home: 0,
      End: entries.length - 1,
    };
    const goal = goals[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    entries[goal]?.focus();
  }

  #focusLeft(event: FocusEvent): void {
    const to = event.relatedTarget;
    if (this.menuOpen && !(to instanceof Node && this.element.contains(to))) this.#setMenu(false);
  }
}
