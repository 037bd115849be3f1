import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { closeOpenMarks, parseMarkdown, safeAddress, type Block, type Inline } from "../../src/markdown.js";

/** The blocks in a short notation: `<p>`-like tags around the text. */
function outline(text: string): string {
  return parseMarkdown(text).map(ofBlock).join("");
}

function ofBlock(block: Block): string {
  if (block.kind === "paragraph") return `p(${ofInline(block.children)})`;
  const mark = block.ordered ? `ol${block.start}` : "ul";
  return `${mark}(${block.items.map((item) => `li(${ofInline(item)})`).join("")})`;
}

function ofInline(parts: readonly Inline[]): string {
  return parts
    .map((part) => {
      switch (part.kind) {
        case "text": return part.text;
        case "break": return "/";
        case "bold": return `b(${ofInline(part.children)})`;
        case "link": return `a[${part.href}](${ofInline(part.children)})`;
      }
    })
    .join("");
}

describe("blocks", () => {
  test("blank lines part paragraphs, single ones break lines", () => {
    assert.equal(outline("one\ntwo\r\n\n\n three"), "p(one/two)p(three)");
  });

  test("lists are bulleted or numbered and may follow a paragraph at once", () => {
    assert.equal(outline("Do:\n- a\n* b\n• c\nthen"), "p(Do:)ul(li(a)li(b)li(c))p(then)");
    assert.equal(outline("3. c\n4) d"), "ol3(li(c)li(d))");
  });

  test("items set apart by blank lines are one list, a number that starts again is another", () => {
    assert.equal(outline("1. a\n\n2. b\n\n1. c"), "ol1(li(a)li(b))ol1(li(c))");
  });

  test("an indented line goes on with its item", () => {
    assert.equal(outline("- a\n  more\nend"), "ul(li(a/more))p(end)");
  });

  test("a dash or a number inside text makes no list", () => {
    assert.equal(outline("-5 degrees\n2.5 kg\n1.text"), "p(-5 degrees/2.5 kg/1.text)");
  });
});

describe("inline", () => {
  test("bold is bold, also within a word of Chinese, and lone asterisks stay", () => {
    assert.equal(outline("**a b** 在**三十天**内 2 ** 3 **"), "p(b(a b) 在b(三十天)内 2 ** 3 **)");
  });

  test("links keep their label, bare addresses are links without the sentence's punctuation", () => {
    assert.equal(outline("[Help](https://a.example/x_(1))."), "p(a[https://a.example/x_(1)](Help).)");
    assert.equal(outline("See https://a.example/b, or (https://a.example/c)."), "p(See a[https://a.example/b](https://a.example/b), or (a[https://a.example/c](https://a.example/c)).)");
    assert.equal(outline("请看 https://a.example/d。谢谢"), "p(请看 a[https://a.example/d](https://a.example/d)。谢谢)");
    assert.equal(outline("**[x](http://a.example/)**"), "p(b(a[http://a.example/](x)))");
  });

  test("only http and https are links", () => {
    for (const text of ["[x](javascript:alert(1))", "[x](data:text/html,hi)", "[x](//a.example)", "[x](/path)", "javascript:alert(1)"]) {
      assert.equal(outline(text), `p(${text})`);
    }
    assert.equal(safeAddress("JaVaScRiPt:alert(1)"), null);
    assert.equal(safeAddress("https://a.example/"), "https://a.example/");
    assert.equal(safeAddress("/relative"), null);
  });

  test("markup stays text", () => {
    assert.equal(outline("<b>x</b> &amp; <script>"), "p(<b>x</b> &amp; <script>)");
  });
});

describe("laws", () => {
  const alphabet = ["**", "*", "[", "](", ")", "https://a.b/c", "javascript:", "<i>", "\n", "\n\n", "- ", "1. ", " ", "word", "退货", "(", "_", "."];

  /** Texts from a small generator with a fixed seed. */
  function* texts(count: number): Generator<string> {
    let seed = 42;
    const next = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    for (let i = 0; i < count; i += 1) {
      yield Array.from({ length: next(25) }, () => alphabet[next(alphabet.length)]).join("");
    }
  }

  /** All inlines of a text, inner ones too. */
  function inlines(text: string): Inline[] {
    const within = (parts: readonly Inline[]): Inline[] =>
      parts.flatMap((part) => [part, ...("children" in part ? within(part.children) : [])]);
    return parseMarkdown(text).flatMap((block) => within(block.kind === "list" ? block.items.flat() : block.children));
  }

  test("no word is lost, whatever the marks around it", () => {
    const visible = (text: string) => inlines(text).map((part) => (part.kind === "text" ? part.text : "")).join("");
    for (const raw of texts(4000)) {
      const text = raw.replaceAll("](", ""); // a labelled link hides its address, as it should
      for (const word of ["word", "退货", "<i>", "https://a.b/c"]) {
        assert.equal(visible(text).split(word).length, text.split(word).length, JSON.stringify(text));
      }
    }
  });

  test("every link is safe", () => {
    let links = 0;
    for (const text of texts(4000)) {
      for (const part of inlines(text)) {
        if (part.kind !== "link") continue;
        assert.match(part.href, /^https?:\/\//);
        links += 1;
      }
    }
    assert.ok(links > 1000, "the generator makes links at all");
  });

  test("many marks are read in a moment", () => {
    const started = performance.now();
    for (const mark of ["**", "**a ", "[", "[a](", "https://", "1. ", "\n"]) parseMarkdown(mark.repeat(4000));
    assert.ok(performance.now() - started < 2000);
  });
});

test("while a text is being written, open marks are closed and half marks hidden", () => {
  const cases: [string, string][] = [
    ["a **bo", "a **bo**"], ["a **bold**", "a **bold**"], ["a **", "a "], ["a **bold*", "a **bold**"], ["a", "a"],
    ["**a**\n\nb **c", "**a**\n\nb **c**"],
  ];
  for (const [written, closed] of cases) assert.equal(closeOpenMarks(written), closed);
});
