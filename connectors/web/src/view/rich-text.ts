/** Turns parsed Markdown into elements. */

import { parseMarkdown, type Block, type Inline } from "../markdown.js";
import type { Strings } from "../i18n.js";
import { h } from "./dom.js";

/** The elements of `markdown`, a reply's text. */
export function richText(markdown: string, strings: Strings): HTMLElement[] {
  return parseMarkdown(markdown).map((block) => blockElement(block, strings));
}

/** Text exactly as written, its line breaks kept by the style sheet: for what customers write. */
export function plainText(text: string): HTMLElement[] {
  return [h("p", { class: "verbatim" }, text)];
}

function blockElement(block: Block, strings: Strings): HTMLElement {
  switch (block.kind) {
    case "paragraph":
      return h("p", {}, ...inlineNodes(block.children, strings));
    case "list": {
      const items = block.items.map((item) => h("li", {}, ...inlineNodes(item, strings)));
      return block.ordered ? h("ol", { start: block.start }, ...items) : h("ul", {}, ...items);
    }
  }
}

function inlineNodes(parts: readonly Inline[], strings: Strings): (Node | string)[] {
  return parts.map((part) => {
    switch (part.kind) {
      case "text":
        return part.text;
      case "break":
        return h("br");
      case "bold":
        return h("strong", {}, ...inlineNodes(part.children, strings));
      case "link":
        return outsideLink(part.href, strings, ...inlineNodes(part.children, strings));
    }
  });
}

/** A link that leaves the page: in a new tab, and without a way back into this one. */
export function outsideLink(href: string, strings: Strings, ...children: (Node | string)[]): HTMLAnchorElement {
  return h(
    "a",
    { href, target: "_blank", rel: "noopener noreferrer" },
    ...children,
    h("span", { class: "unseen" }, ` (${strings.newTab})`),
  );
}
