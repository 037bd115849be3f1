/** What the page asks of the widget: the `data-` attributes of the script tag or of the element. */

import { isOneOf } from "./engine/protocol.js";

/** Every attribute that the widget reads, without `data-`. */
export const ATTRIBUTES = ["title", "language", "token", "color", "position", "theme", "server"] as const;

/** The attributes as the page wrote them; `null` where it did not. */
export type Attributes = Record<(typeof ATTRIBUTES)[number], string | null>;

/** The attributes, checked. */
export interface Options {
  /** Heading of the panel; `null` for the language's own. */
  readonly title: string | null;
  readonly language: string | null;
  readonly token: string | null;
  readonly color: string;
  readonly position: "left" | "right";
  readonly theme: "auto" | "light" | "dark";
  /** Origin of the Frontdesk server. */
  readonly server: string;
}

const DEFAULT_COLOR = "#2f5bea";

/** The `data-` attributes of `element`. */
export function readAttributes(element: HTMLElement): Attributes {
  return Object.fromEntries(ATTRIBUTES.map((name) => [name, element.getAttribute(`data-${name}`)])) as Attributes;
}

/** Options from `attributes`; what is missing or wrong falls back to the default, `scriptOrigin` for the server. */
export function readOptions(attributes: Attributes, scriptOrigin: string): Options {
  return {
    title: attributes.title || null,
    language: attributes.language || null,
    token: attributes.token || null,
    color: attributes.color || DEFAULT_COLOR,
    position: attributes.position === "left" ? "left" : "right",
    theme: isOneOf(["light", "dark"] as const, attributes.theme) ? attributes.theme : "auto",
    server: originOf(attributes.server) ?? scriptOrigin,
  };
}

/** The origin of `address`, or `null` if it is no http address. */
export function originOf(address: string | null): string | null {
  try {
    const url = new URL(address ?? "");
    return url.protocol === "http:" || url.protocol === "https:" ? url.origin : null;
  } catch {
    return null;
  }
}

/** Where the chat of the server at `origin` is: wss for https, ws for http. */
export function chatAddress(origin: string): string {
  return `${origin.replace(/^http/, "ws")}/v1/chat`;
}
