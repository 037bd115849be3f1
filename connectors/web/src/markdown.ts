/**
 * Reads the small part of Markdown that replies use: paragraphs, lists, **bold** and links.
 *
 * The result is data, never HTML: the view builds elements from it, so that nothing a customer, a
 * model or a help page writes can become markup. What is not understood stays as it was written.
 */

/** A stretch of text within a block. */
export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "break" }
  | { readonly kind: "bold"; readonly children: readonly Inline[] }
  | { readonly kind: "link"; readonly href: string; readonly children: readonly Inline[] };

/** A paragraph or a list. */
export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "list"; readonly ordered: boolean; readonly start: number; readonly items: readonly (readonly Inline[])[] };

const LIST_ITEM = /^\s{0,6}(?:[-*•]|(\d{1,4})[.)])\s+(.*)$/;
const BOLD = /^\*\*(?=\S)(.+?\S|\S)\*\*/s;
const LINK = /^\[([^[\]\n]{1,300})\]\(\s*(https?:\/\/[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)\s*\)/i;
const ADDRESS = /^https?:\/\/[^\s<>"'`（）。，、；！？「」]+/i;
/** Where the inline scanner has to look closer; everything between is plain text. */
const SPECIAL = /\*\*|\[|\n|https?:\/\//gi;

/** The blocks of `text`. */
export function parseMarkdown(text: string): Block[] {
  const blocks: Block[] = [];
  let open: { lines: string[] } | { ordered: boolean; start: number; items: string[] } | null = null;
  const close = () => {
    if (open) blocks.push("lines" in open ? paragraph(open.lines) : list(open));
    open = null;
  };
  for (const line of text.replaceAll("\r\n", "\n").split("\n")) {
    const item = LIST_ITEM.exec(line);
    if (line.trim() === "") {
      close();
    } else if (item) {
      const ordered = item[1] !== undefined;
      if (!open || "lines" in open || open.ordered !== ordered) {
        close();
        open = { ordered, start: Number(item[1] ?? 1), items: [] };
      }
      open.items.push(item[2] ?? "");
    } else if (open && "items" in open && /^\s{2,}/.test(line)) {
      open.items.push(`${open.items.pop() ?? ""}\n${line.trim()}`);
    } else {
      if (!open || "items" in open) {
        close();
        open = { lines: [] };
      }
      open.lines.push(line.trim());
    }
  }
  close();
  return joinLists(blocks);
}

function paragraph(lines: readonly string[]): Block {
  return { kind: "paragraph", children: parseInline(lines.join("\n")) };
}

function list(open: { ordered: boolean; start: number; items: readonly string[] }): Block {
  return { kind: "list", ordered: open.ordered, start: open.start, items: open.items.map((item) => parseInline(item)) };
}

/** A list whose items are set apart by blank lines is still one list. */
function joinLists(blocks: readonly Block[]): Block[] {
  const joined: Block[] = [];
  for (const block of blocks) {
    const last = joined.at(-1);
    const goesOn =
      block.kind === "list" && last?.kind === "list" && last.ordered === block.ordered &&
      (!block.ordered || block.start === last.start + last.items.length);
    if (goesOn) joined[joined.length - 1] = { ...last, items: [...last.items, ...block.items] };
    else joined.push(block);
  }
  return joined;
}

function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") parts.push({ kind: "text", text: plain });
    plain = "";
  };
  let at = 0;
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = SPECIAL.exec(text)?.index ?? text.length;
    plain += text.slice(at, next);
    at = next;
    if (at === text.length) break;
    const special = readSpecial(text.slice(at));
    if (special) {
      flush();
      parts.push(special.inline);
      at += special.length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return parts;
}

function readSpecial(rest: string): { inline: Inline; length: number } | null {
  if (rest.startsWith("\n")) return { inline: { kind: "break" }, length: 1 };
  const bold = BOLD.exec(rest);
  if (bold?.[1]) return { inline: { kind: "bold", children: parseInline(bold[1]) }, length: bold[0].length };
  const link = LINK.exec(rest);
  if (link?.[1] && link[2]) return readLink(link[2], link[1], link[0].length);
  const address = ADDRESS.exec(rest);
  if (address) {
    const bare = trimAddress(address[0]);
    return readLink(bare, bare, bare.length);
  }
  return null;
}

function readLink(address: string, label: string, length: number): { inline: Inline; length: number } | null {
  const href = safeAddress(address);
  return href === null ? null : { inline: { kind: "link", href, children: [{ kind: "text", text: label }] }, length };
}

/** Punctuation after an address belongs to the sentence, a closing bracket only if it was opened inside. */
function trimAddress(address: string): string {
  const bare = address.replace(/[.,;:!?*_]+$/, "");
  const opened = bare.split("(").length;
  return bare.endsWith(")") && bare.split(")").length > opened ? trimAddress(bare.slice(0, -1)) : bare;
}

/** `address` if it is an absolute http or https one; everything else (`javascript:` first) is not a link. */
export function safeAddress(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** Closes what is still open in a text that is being written, so that no asterisks flash up. */
export function closeOpenMarks(text: string): string {
  const tail = text.slice(text.lastIndexOf("\n\n") + 1);
  const withoutHalfMark = tail.endsWith("*") && !tail.endsWith("**") ? text.slice(0, -1) : text;
  if (tail.split("**").length % 2 === 1) return withoutHalfMark;
  return withoutHalfMark.endsWith("**") ? withoutHalfMark.slice(0, -2) : `${withoutHalfMark.trimEnd()}**`;
}
