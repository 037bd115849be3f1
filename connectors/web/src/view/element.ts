/** `<frontdesk-chat>`: the custom element that joins options, session and view. */

import { browserEnvironment } from "../engine/environment.js";
import { Session, type SessionEvent } from "../engine/session.js";
import { localStore } from "../engine/store.js";
import { subjectOf } from "../engine/token.js";
import { paletteOf } from "../color.js";
import { interfaceLanguage, languageTag, stringsOf } from "../i18n.js";
import { ATTRIBUTES, chatAddress, readAttributes, readOptions, type Attributes, type Options } from "../options.js";
import composerCss from "../styles/composer.css";
import panelCss from "../styles/panel.css";
import threadCss from "../styles/thread.css";
import tokensCss from "../styles/tokens.css";
import { Panel, type ChatActions } from "./panel.js";

/** The events of `Frontdesk.on`, and what they carry. */
export interface ChatEvents {
  readonly open: undefined;
  readonly close: undefined;
  readonly message: { readonly seq: number; readonly author: string; readonly text: string };
  readonly unread: { readonly count: number };
  readonly status: { readonly state: string };
  /** The token was refused: call `identify` with a fresh one. */
  readonly "sign-in": undefined;
}

/** Which attributes count where the element has none, and the origin that the script came from. */
let defaults: { attributes: Partial<Attributes>; origin: string } = { attributes: {}, origin: location.origin };

/** Sets what elements fall back to; before the first element is made. */
export function setDefaults(attributes: Partial<Attributes>, origin: string): void {
  defaults = { attributes, origin };
}

/** The chat, as an element of the page. */
export class ChatElement extends HTMLElement {
  static readonly observedAttributes = ATTRIBUTES.map((name) => `data-${name}`);

  readonly #root = this.attachShadow({ mode: "open" });
  #options: Options = this.#readOptions();
  #token: string | null = null;
  #session: Session | null = null;
  #panel: Panel | null = null;
  #open = false;
  #drawing = false;
  #unread = 0;
  #state = "bot";
  #page: AbortController | null = null;

  connectedCallback(): void {
    this.#options = this.#readOptions();
    this.#token = this.#options.token;
    this.#page = new AbortController();
    this.#root.adoptedStyleSheets = [styleSheet()];
    this.#watchPage(this.#page.signal);
    this.#beginSession();
    this.#drawPanel();
  }

  disconnectedCallback(): void {
    this.#page?.abort();
    this.#session?.stop();
    this.#session = null;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.#session || before === after) return;
    this.#options = this.#readOptions();
    if (name === "data-token") this.identify(this.#options.token);
    else if (name === "data-server") this.#beginSession();
    else this.#drawPanel();
  }

  /** Opens the panel, and begins a conversation if there is none. */
  open(focus = true): void {
    if (this.#open) return;
    this.#open = true;
    this.#session?.start();
    this.#panel?.setOpen(true, focus);
    this.#noteReading();
    this.#emit("open", undefined);
  }

  /** Closes the panel; the conversation goes on. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#panel?.setOpen(false, true);
    this.#noteReading();
    this.#emit("close", undefined);
  }

  /** Opens the panel and sends `text` in the customer's name. */
  say(text: string): void {
    this.open();
    this.#session?.send(text);
  }

  /** Says who the customer is; `null` for an anonymous visitor. Each customer has their own conversation. */
  identify(token: string | null): void {
    const same = subjectOf(token ?? "") === subjectOf(this.#token ?? "");
    this.#token = token;
    if (same) this.#session?.renewToken(token);
    else if (this.#session) this.#beginSession();
  }

  #readOptions(): Options {
    const own = readAttributes(this);
    const merged = Object.fromEntries(ATTRIBUTES.map((name) => [name, own[name] ?? defaults.attributes[name] ?? null]));
    return readOptions(merged as Attributes, defaults.origin);
  }

  #languageTag(): string {
    return languageTag({
      asked: this.#options.language,
      page: document.documentElement.lang,
      browser: navigator.languages,
    });
  }

  #beginSession(): void {
    this.#session?.stop();
    const subject = this.#token === null ? null : subjectOf(this.#token);
    const session: Session = new Session(
      browserEnvironment(chatAddress(this.#options.server)),
      { token: this.#token, language: this.#languageTag(), store: localStore(this.#options.server, subject) },
      (event) => {
        if (session === this.#session) this.#sessionSays(event);
      },
    );
    this.#session = session;
    this.#noteReading();
    // Without a conversation nothing connects before the customer opens the panel.
    if (session.hasConversation || this.#open) session.start();
    this.#redrawSoon();
  }

  #sessionSays(event: SessionEvent): void {
    switch (event.type) {
      case "changed":
        this.#redrawSoon();
        break;
      case "received": {
        const { seq, author, text } = event.message;
        this.#emit("message", { seq, author, text });
        break;
      }
      case "signed_out":
        this.#emit("sign-in", undefined);
        break;
    }
  }

  /** Draws anew in another language, colour or place; what is written and not sent is kept. */
  #drawPanel(): void {
    const { title, color, position, theme } = this.#options;
    const language = interfaceLanguage(this.#languageTag());
    const strings = stringsOf(language);
    const panel = new Panel({ strings, language, title: title ?? strings.title }, this.#actions());
    panel.draft = this.#panel?.draft ?? "";
    this.#panel = panel;
    panel.element.dataset.position = position;
    panel.element.dataset.theme = theme;
    this.#paint(panel.element, color);
    this.#root.replaceChildren(panel.element);
    this.#redraw();
    panel.setOpen(this.#open, false);
  }

  #paint(element: HTMLElement, color: string): void {
    const palette = paletteOf(color);
    if (!palette) {
      console.warn(`Frontdesk: data-color must be a hex colour such as #2f5bea, not "${color}".`);
      return;
    }
    element.style.setProperty("--accent", palette.accent);
    element.style.setProperty("--on-accent", palette.onAccent);
    element.style.setProperty("--accent-ink-light", palette.inkLight);
    element.style.setProperty("--accent-ink-dark", palette.inkDark);
  }

  #actions(): ChatActions {
    return {
      open: () => this.open(),
      close: () => this.close(),
      send: (text, pressed) => this.#session?.send(text, pressed),
      retry: (id) => this.#session?.retry(id),
      keystroke: (empty) => this.#session?.keystroke(empty),
      requestPerson: () => this.#session?.requestPerson(),
      end: () => this.#session?.end(),
      rate: (score, comment) => this.#session?.rate(score, comment),
      startOver: () => this.#session?.startOver(),
    };
  }

  #watchPage(signal: AbortSignal): void {
    window.addEventListener("online", () => this.#resume(), { signal });
    window.addEventListener("offline", () => this.#session?.networkLost(), { signal });
    window.addEventListener("pageshow", () => this.#resume(), { signal });
    document.addEventListener("visibilitychange", () => {
      this.#noteReading();
      if (!document.hidden) this.#resume();
    }, { signal });
    // A phone's keyboard shrinks what can be seen, not the layout: the sheet follows the former.
    const fit = () => this.style.setProperty("--seen-height", `${window.visualViewport?.height ?? window.innerHeight}px`);
    window.visualViewport?.addEventListener("resize", fit, { signal });
    fit();
  }

  #resume(): void {
    if (this.#session && (this.#session.hasConversation || this.#open)) this.#session.start();
  }

  #noteReading(): void {
    this.#session?.setReading(this.#open && !document.hidden);
  }

  /** One drawing for all changes of a moment. */
  #redrawSoon(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => {
      this.#drawing = false;
      this.#redraw();
    });
  }

  #redraw(): void {
    if (!this.#session) return;
    const snapshot = this.#session.snapshot();
    this.#panel?.update(snapshot);
    if (snapshot.unread !== this.#unread) this.#emit("unread", { count: snapshot.unread });
    if (snapshot.state !== this.#state) this.#emit("status", { state: snapshot.state });
    this.#unread = snapshot.unread;
    this.#state = snapshot.state;
  }

  #emit<E extends keyof ChatEvents>(type: E, detail: ChatEvents[E]): void {
    this.dispatchEvent(new CustomEvent(`frontdesk-${type}`, { detail }));
  }
}

let sheet: CSSStyleSheet | null = null;

/** The style sheet, parsed once. Constructed, as a strict content security policy forbids `<style>`. */
function styleSheet(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync([tokensCss, panelCss, threadCss, composerCss].join("\n"));
  }
  return sheet;
}
