/**
 * The script that a page embeds: registers `<frontdesk-chat>`, adds one unless the page has its
 * own, and offers `window.Frontdesk`.
 */

import { originOf, readAttributes, type Attributes } from "./options.js";
import { ChatElement, setDefaults, type ChatEvents } from "./view/element.js";

/** What a page can do with the chat. */
export interface FrontdeskApi {
  /** Opens the panel. */
  open(): void;
  /** Closes the panel. */
  close(): void;
  /** Opens the panel and sends `text` as the customer's message: for "ask about this" buttons. */
  say(text: string): void;
  /** Says who the customer is (a signed token), or that they are anonymous (`null`). */
  identify(token: string | null): void;
  /** Calls `listener` at every `event`; returns a function that ends this. */
  on<E extends keyof ChatEvents>(event: E, listener: (detail: ChatEvents[E]) => void): () => void;
}

declare global {
  interface Window {
    Frontdesk?: FrontdeskApi;
  }
}

const TAG = "frontdesk-chat";

// Only while the script runs for the first time does the browser know which tag it came from.
const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null;

function begin(): void {
  if (customElements.get(TAG)) return; // a page that embeds the script twice gets one chat
  const attributes: Partial<Attributes> = script ? readAttributes(script) : {};
  setDefaults(attributes, originOf(script?.src ?? null) ?? location.origin);
  customElements.define(TAG, ChatElement);
  const chat = document.querySelector<ChatElement>(TAG) ?? document.body.appendChild(new ChatElement());
  window.Frontdesk = apiOf(chat);
  document.dispatchEvent(new CustomEvent("frontdesk:ready"));
}

function apiOf(chat: ChatElement): FrontdeskApi {
  return {
    open: () => chat.open(),
    close: () => chat.close(),
    say: (text) => chat.say(text),
    identify: (token) => chat.identify(token),
    on(event, listener) {
      const heard = (e: Event) => listener((e as CustomEvent).detail);
      chat.addEventListener(`frontdesk-${event}`, heard);
      return () => chat.removeEventListener(`frontdesk-${event}`, heard);
    },
  };
}

if (document.readyState === "loading" && !document.body) document.addEventListener("DOMContentLoaded", begin);
else begin();
