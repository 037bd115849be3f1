import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contrast, paletteOf, parseHex } from "../../src/color.js";
import { parseFrame } from "../../src/engine/protocol.js";
import { localStore, readMemory, writeMemory, type Memory } from "../../src/engine/store.js";
import { subjectOf } from "../../src/engine/token.js";
import { dayLabel, interfaceLanguage, languageTag, stringsOf } from "../../src/i18n.js";
import { chatAddress, readOptions, type Attributes } from "../../src/options.js";

const NOTHING: Attributes = { title: null, language: null, token: null, color: null, position: null, theme: null, server: null };

describe("language", () => {
  test("is the page's wish, then the page's own, then the browser's", () => {
    assert.equal(languageTag({ asked: "zh", page: "en", browser: ["fr"] }), "zh");
    assert.equal(languageTag({ asked: "auto", page: "en-GB", browser: ["zh-CN"] }), "en-GB");
    assert.equal(languageTag({ asked: null, page: "", browser: ["zh-CN", "en"] }), "zh-CN");
    assert.equal(languageTag({ asked: null, page: "", browser: [] }), "en");
  });

  test("of the interface is Chinese for every kind of it and English else", () => {
    for (const tag of ["zh", "zh-CN", "ZH-Hant-TW"]) assert.equal(interfaceLanguage(tag), "zh");
    for (const tag of ["de", "de-AT"]) assert.equal(interfaceLanguage(tag), "de");
    for (const tag of ["en", "fr", "", "zha", "constructor"]) assert.equal(interfaceLanguage(tag), "en");
  });

  test("has every word, and counts", () => {
    for (const [key, value] of Object.entries(stringsOf("zh"))) {
      const word = typeof value === "function" ? value(2) : value;
      assert.match(word, /[\u4e00-\u9fff]/, key);
    }
    assert.equal(stringsOf("en").openChatUnread(1), "Open chat, 1 unread message");
    assert.equal(stringsOf("en").charactersLeft(-3), "3 characters too many");
  });

  test("names days as people do, also across a change of the clocks", () => {
    const now = new Date(2026, 10, 2, 0, 30).getTime();
    assert.equal(dayLabel(new Date(2026, 10, 2, 0, 5).getTime(), now, "en"), "Today");
    assert.equal(dayLabel(new Date(2026, 10, 1, 23, 59).getTime(), now, "zh"), "昨天");
    assert.match(dayLabel(new Date(2026, 2, 1, 12).getTime(), now, "en"), /March/);
    assert.match(dayLabel(new Date(2025, 2, 1, 12).getTime(), now, "en"), /2025/);
  });
});

describe("colours", () => {
  const rgb = (css: string) => parseHex(css) ?? assert.fail(`${css} is no colour`);

  test("of every hue and lightness give legible text", () => {
    for (let value = 0; value <= 0xffffff; value += 0x0f1b2d) {
      const palette = paletteOf(`#${value.toString(16).padStart(6, "0")}`) ?? assert.fail();
      assert.ok(contrast(rgb(palette.accent), rgb(palette.onAccent)) >= 4.5, `${value.toString(16)} in its bubble`);
      assert.ok(contrast(rgb(palette.inkLight), rgb("#f1f3f6")) >= 4.5, `${value.toString(16)} on light`);
      assert.ok(contrast(rgb(palette.inkDark), rgb("#282c36")) >= 4.5, `${value.toString(16)} on dark`);
    }
  });

  test("that are legible already stay as the company chose them", () => {
    assert.equal(paletteOf("#1f6a57")?.accent, "#1f6a57");
    assert.equal(paletteOf("#fc0")?.accent, "#ffcc00");
  });

  test("that are none are told apart", () => {
    for (const text of ["", "red", "#12", "#1234567", "#ggg", "url(x)"]) assert.equal(paletteOf(text), null);
  });
});

describe("options", () => {
  test("fall back to what is sensible", () => {
    const options = readOptions({ ...NOTHING, position: "top", theme: "blue", server: "ftp://x" }, "https://chat.example.com");
    assert.deepEqual([options.position, options.theme, options.server, options.title], ["right", "auto", "https://chat.example.com", null]);
  });

  test("find the chat where the script came from, encrypted if the script was", () => {
    assert.equal(chatAddress("https://chat.example.com"), "wss://chat.example.com/v1/chat");
    assert.equal(chatAddress("http://localhost:8080"), "ws://localhost:8080/v1/chat");
  });
});

describe("tokens", () => {
  const token = (claims: unknown) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;

  test("tell whom they speak of, whatever the script of the name", () => {
    assert.equal(subjectOf(token({ sub: "ada" })), "ada");
    assert.equal(subjectOf(token({ sub: "王小明?>" })), "王小明?>");
  });

  test("that tell nothing count as nobody's", () => {
    for (const odd of ["", "a.b.c", "x", token({}), token({ sub: 7 }), token(null), token({ sub: "" })]) assert.equal(subjectOf(odd), null);
  });
});

describe("memory", () => {
  const memory: Memory = {
    conversation: "c",
    state: "human",
    messages: Array.from({ length: 130 }, (_, i) => ({ seq: i + 1, author: "bot" as const, text: "x", at: i, sources: [], actions: [] })),
    outbox: [{ id: "a", text: "b", at: 1, delivery: "delayed" }],
    read: 3,
    rated: true,
  };

  test("comes back as it was, with the last hundred messages", () => {
    const back = readMemory(writeMemory(memory));
    assert.deepEqual(back?.messages, memory.messages.slice(-100));
    assert.deepEqual({ ...back, messages: [], outbox: [] }, { ...memory, messages: [], outbox: [] });
    assert.equal(back?.outbox[0]?.delivery, "sending", "what was delayed gets a fresh chance");
  });

  test("of another kind is none, and unreadable messages are left out", () => {
    for (const text of [null, "1", "null", "{}", '{"conversation":7}']) assert.equal(readMemory(text), null);
    assert.deepEqual(readMemory('{"conversation":"c","messages":[7,{"seq":1}],"outbox":[{}]}')?.messages, []);
  });

  test("does without storage where there is none, or where it holds rubbish", () => {
    const store = localStore("https://chat.example.com", null);
    assert.equal(store.load(), null);
    assert.doesNotThrow(() => store.save(memory));
    Object.assign(globalThis, { localStorage: { getItem: () => "{rubbish" } });
    assert.equal(store.load(), null);
  });

  test("is kept apart by server and by customer, and no customer can be named anonymous", () => {
    const keys = new Set<string>();
    Object.assign(globalThis, { localStorage: { setItem: (key: string) => keys.add(key) } });
    for (const origin of ["https://a.example", "https://b.example"]) {
      for (const subject of [null, "anonymous", "ada"]) localStore(origin, subject).save(memory);
    }
    assert.equal(keys.size, 6);
  });
});

test("an error frame keeps its wait only if it is one", () => {
  const parse = (wait: unknown) => parseFrame(JSON.stringify({ type: "error", code: "too_fast", retry_after: wait }));
  assert.deepEqual(parse(2.5), { type: "error", code: "too_fast", message: "", retryAfter: 2.5 });
  assert.deepEqual(parse(-1), { type: "error", code: "too_fast", message: "" });
  assert.deepEqual(parse("soon"), { type: "error", code: "too_fast", message: "" });
});
