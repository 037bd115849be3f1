// The widget in a browser, against a server that fails on demand.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { chatOf, launchBrowser, openPage } from "./browser.mjs";
import { startStandIn } from "./stand-in.mjs";

let browser;
let standIn;
let page;
let chat;

before(async () => {
  browser = await launchBrowser();
});

after(() => browser?.close());

beforeEach(async () => {
  standIn = await startStandIn();
});

afterEach(async () => {
  const troubles = page?.troubles;
  await page?.context().close();
  await standIn.close();
  assert.deepEqual(troubles, []);
});

/** Opens `path` of the stand-in; `begin` also opens the chat. */
async function visit(path = "/", options = {}) {
  page = await openPage(browser, standIn.url + path, options);
  chat = chatOf(page);
}

async function begin(path, options) {
  await visit(path, options);
  await chat.open();
}

/** Waits until `holds()`, which may look anywhere. */
async function until(holds, what) {
  for (let waited = 0; waited < 8000; waited += 20) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`${what} did not happen`);
}

const customerTexts = () => standIn.latest.messages.filter((message) => message.author === "customer").map((message) => message.text);

describe("a broken connection", () => {
  test("takes the half reply with it, and the whole one comes once", async () => {
    await begin();
    standIn.stall = true;
    await chat.send("How do returns work?");
    await chat.drafts.getByText("You").waitFor();
    standIn.drop();
    await chat.drafts.locator(".row").waitFor({ state: "detached" });
    standIn.post(standIn.latest, { author: "bot", text: "The whole reply.", turn: "again" });
    await chat.settled(2);
    assert.equal(await chat.fromBot.last().locator(".bubble").innerText(), "The whole reply.");
    assert.equal(await chat.fromBot.count(), 2);
  });

  test("after a lost acknowledgement has the message sent again and stored once", async () => {
    await begin();
    standIn.loseAcks = true;
    standIn.tell = () => {};
    await chat.send("Only once");
    await until(() => standIn.framesOf("message").length === 1, "sending");
    delete standIn.tell;
    standIn.loseAcks = false;
    standIn.drop();
    await chat.panel.getByText("Only once").waitFor();
    await until(() => standIn.framesOf("hello").length === 2, "saying hello again");
    await chat.fromCustomer.and(page.locator(":not(.sending)")).waitFor();
    await page.waitForTimeout(300);
    assert.deepEqual(customerTexts(), ["Only once"]);
    assert.equal(await chat.panel.locator(".row.customer").count(), 1);
  });

  test("is told to the customer while it lasts", async () => {
    await begin();
    standIn.down = true;
    standIn.drop();
    await chat.notice.getByText("Connection lost").waitFor();
    standIn.down = false;
    await chat.notice.waitFor({ state: "hidden" });
  });

  test("to a server that has forgotten everything begins anew", async () => {
    await begin();
    await chat.send("Hello?");
    await chat.settled(2);
    standIn.conversations.clear();
    standIn.drop();
    await until(async () => standIn.conversations.size === 1 && (await chat.fromBot.count()) === 1, "a fresh start");
    assert.equal(await chat.fromCustomer.count(), 0);
  });
});

describe("a message that is not taken", () => {
  test("too fast is sent again after the wait, and the customer is told", async () => {
    await begin();
    standIn.nextError = { code: "too_fast", retry_after: 1.5 };
    await chat.send("Quick!");
    await chat.notice.getByText("One moment").waitFor();
    await chat.settled(2);
    assert.equal(await chat.notice.isVisible(), false);
    const ids = standIn.framesOf("message").map((frame) => frame.id);
    assert.deepEqual([ids.length, ids[0]], [2, ids[1]]);
  });

  test("for good is marked, and goes when the customer tries again", async () => {
    await begin();
    standIn.nextError = { code: "too_big" };
    await chat.send("Refused");
    await chat.panel.getByText("Not sent.").waitFor();
    await chat.panel.getByRole("button", { name: "Try again" }).click();
    await chat.settled(2);
    assert.deepEqual(customerTexts(), ["Refused"]);
  });

  test("because the sign-in expired waits for a fresh token", async () => {
    await visit("/embed?token=expired");
    await page.evaluate(() => {
      window.asked = 0;
      window.Frontdesk.on("sign-in", () => (window.asked += 1));
      window.Frontdesk.open();
    });
    await chat.notice.getByText("Please sign in again").waitFor();
    assert.equal(await page.evaluate(() => window.asked), 1);
    await page.evaluate(() => window.Frontdesk.identify("fresh"));
    await chat.fromBot.first().waitFor();
    assert.equal(await chat.notice.isVisible(), false);
    assert.equal(standIn.latest.token, "fresh");
  });
});

describe("what is shown", () => {
  test("markup of customer and bot stays text, and bad links are none", async () => {
    await begin();
    await chat.send("<img src=x onerror=alert(1)> **not bold**");
    await chat.settled(2);
    assert.match(await chat.fromCustomer.innerText(), /<img src=x onerror=alert\(1\)> \*\*not bold\*\*/);
    assert.match(await chat.fromBot.last().innerText(), /<img src=x onerror=alert\(1\)>.*javascript:alert\(1\).*bold/);
    assert.equal(await chat.log.locator("img, script").count(), 0);
    assert.equal(await chat.log.locator("a").count(), 0);
    assert.equal(await chat.fromBot.last().locator("strong").innerText(), "bold");
  });

  test("links and sources open elsewhere and give nothing away", async () => {
    await begin();
    await chat.send("Is a gift different?");
    await chat.settled(2);
    const links = await chat.fromBot.last().locator("a").evaluateAll((all) => all.map((a) => [a.href, a.target, a.rel]));
    assert.deepEqual(links, [
      ["https://shop.example.com/help/gifts", "_blank", "noopener noreferrer"],
      ["https://shop.example.com/help/returns", "_blank", "noopener noreferrer"],
    ]);
  });

  test("a preview stands while the reply is written under it, and goes with it", async () => {
    standIn.paceMs = 25;
    await begin();
    await chat.send("How do returns work?");
    const preview = chat.drafts.locator(".preview");
    await preview.getByText("From our help pages").waitFor();
    const first = await preview.elementHandle();
    await preview.getByText("Returns policy").waitFor();
    await chat.drafts.locator(".bubble").getByText("free of charge").waitFor();
    assert.equal(await first.evaluate((node) => node.isConnected), true, "it is not drawn anew at every delta");
    assert.equal(await chat.log.getByText("free of charge").count(), 0, "a screen reader is not told half a reply");
    await chat.settled(2);
    assert.equal(await preview.count(), 0);
  });

  test("a reader who has scrolled up stays there and is told of news", async () => {
    await begin();
    await chat.send("Something long, please");
    await chat.settled(2);
    const scroller = chat.panel.locator(".scroller");
    await scroller.evaluate((element) => (element.scrollTop = 0));
    await page.waitForTimeout(100);
    standIn.post(standIn.latest, { author: "bot", text: "News." });
    await chat.panel.getByRole("button", { name: "New messages" }).click();
    await until(() => scroller.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 5), "scrolling to the end");
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`every word can be read in the ${colorScheme} chat`, async () => {
      await begin("/", { colorScheme, reducedMotion: "reduce" });
      await chat.send("How do returns work?");
      await chat.settled(2);
      await chat.panel.getByRole("button", { name: "More options" }).click();
      const { words, faint } = await chat.panel.evaluate(readContrasts);
      assert.ok(words > 15, `it looked at ${words} texts`);
      assert.deepEqual(faint, []);
    });
  }

  test("nothing moves for those who want no motion", async () => {
    await begin("/", { reducedMotion: "reduce" });
    const durations = await chat.panel.evaluate((panel) => [getComputedStyle(panel).transitionDuration, getComputedStyle(panel.querySelector(".row")).animationDuration].join());
    for (const duration of durations.split(",")) assert.ok(Number.parseFloat(duration) <= 0.001, durations);
  });
});

/** In the page: how many texts `panel` shows, and those of them with a contrast under 4.5. */
function readContrasts(panel) {
  const parse = (css) => {
    const numbers = css.match(/[\d.]+(e-?\d+)?/g).map(Number);
    const scale = css.startsWith("color(") ? 255 : 1;
    return { rgb: numbers.slice(0, 3).map((n) => n * scale), alpha: numbers[3] ?? 1 };
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const background = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(e).backgroundColor);
      if (alpha === 1) return rgb;
    }
    throw new Error("the panel has no opaque ground");
  };
  const faint = [];
  let words = 0;
  const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const hidden = element.closest(".unseen, [hidden]") || getComputedStyle(element).opacity === "0";
    if (hidden || walker.currentNode.data.trim() === "") continue;
    words += 1;
    const [light, dark] = [parse(getComputedStyle(element).color).rgb, background(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${walker.currentNode.data}`);
  }
  return { words, faint };
}

describe("writing", () => {
  test("too much is counted and not sent", async () => {
    await begin();
    await chat.field.fill("x".repeat(3590));
    assert.equal(await chat.panel.locator(".counter").isVisible(), false);
    await chat.field.fill("🙂".repeat(3990));
    await chat.panel.getByText("10 characters left").waitFor();
    await chat.field.fill("🙂".repeat(4001));
    await chat.panel.getByText("1 characters too many").waitFor();
    await chat.field.press("Enter");
    assert.equal(await chat.panel.getByRole("button", { name: "Send message" }).isDisabled(), true);
    assert.equal(standIn.framesOf("message").length, 0);
    await chat.send("🙂".repeat(4000));
    await until(() => standIn.framesOf("message").length === 1, "sending");
  });

  test("with an input method, Enter chooses a word and sends nothing", async () => {
    await begin();
    await chat.field.fill("ni hao");
    await chat.field.evaluate((field) => field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true })));
    await page.waitForTimeout(100);
    assert.equal(standIn.framesOf("message").length, 0);
    assert.equal(await chat.field.inputValue(), "ni hao");
  });

  test("is told to the server, but not at every key", async () => {
    await begin();
    await chat.field.pressSequentially("a long sentence with many keys", { delay: 5 });
    assert.deepEqual(standIn.framesOf("typing").map((frame) => frame.on), [true]);
  });
});

describe("choosing", () => {
  test("a quick reply says it, another asks for a person", async () => {
    await begin();
    await chat.send("How do returns work?");
    await chat.settled(2);
    await chat.replies.getByText("What about gifts?").click();
    await chat.settled(3);
    assert.deepEqual(customerTexts(), ["How do returns work?", "What about gifts?"]);
    assert.equal(await chat.replies.count(), 0);
    await chat.send("Hm.");
    await chat.settled(4);
    await chat.replies.getByText("Talk to a person").click();
    await chat.notice.getByText("talking to our team").waitFor();
    assert.equal(customerTexts().length, 3);
  });

  test("in the menu works with arrow keys, and Escape closes only the menu", async () => {
    await begin();
    await chat.panel.getByRole("button", { name: "More options" }).press("Enter");
    const focused = () => page.evaluate(() => document.querySelector("frontdesk-chat").shadowRoot.activeElement.textContent);
    assert.equal(await focused(), "Talk to a person");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "End chat");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "Talk to a person");
    await page.keyboard.press("Escape");
    assert.equal(await page.getByRole("menu").count(), 0);
    assert.equal(await chat.panel.isVisible(), true);
  });

  test("to end asks first", async () => {
    await begin();
    await chat.panel.getByRole("button", { name: "More options" }).click();
    await page.getByRole("menuitem", { name: "End chat" }).click();
    await chat.panel.getByRole("button", { name: "Keep chatting" }).click();
    await chat.field.waitFor();
    assert.equal(standIn.framesOf("end").length, 0);
  });

  test("a rating sends score and words", async () => {
    await begin();
    standIn.setState(standIn.latest, "closed");
    await chat.panel.getByRole("radio", { name: /2/ }).check();
    await chat.panel.getByLabel(/anything you’d like to add/i).fill("Slow.");
    await chat.panel.getByRole("button", { name: "Send feedback" }).click();
    await until(() => standIn.framesOf("rate").length === 1, "rating");
    assert.deepEqual(standIn.framesOf("rate"), [{ type: "rate", score: 2, comment: "Slow." }]);
  });
});

describe("embedding", () => {
  test("connects only when the customer opens the chat", async () => {
    await visit();
    await page.waitForTimeout(300);
    assert.deepEqual(standIn.received, []);
    await chat.open();
    assert.equal(standIn.received[0].type, "hello");
  });

  test("works under a strict content policy, with what the tag asks for", async () => {
    await begin("/embed?title=Ask Ada&language=zh&position=left&color=%23b3261e&theme=dark");
    assert.equal(await chat.panel.getByRole("heading").innerText(), "Ask Ada");
    assert.match(await chat.panel.innerText(), /AI 助手/);
    assert.equal(standIn.received[0].language, "zh");
    assert.ok((await chat.launcher.boundingBox()).x < 100);
    assert.equal(await chat.launcher.evaluate((button) => getComputedStyle(button).backgroundColor), "rgb(179, 38, 30)");
    const ground = await chat.panel.evaluate((panel) => getComputedStyle(panel).backgroundColor);
    assert.equal(ground, "rgb(24, 27, 34)");
  });

  test("uses the page's own element, and two tags make one chat", async () => {
    await visit("/embed?own=Ours&title=Tag&twice=yes");
    assert.equal(await page.locator("frontdesk-chat").count(), 1);
    await chat.open();
    assert.equal(await chat.panel.getByRole("heading").innerText(), "Ours");
  });

  test("tells the page what happens until it listens no more", async () => {
    await visit("/embed");
    await page.evaluate(() => {
      window.heard = [];
      for (const event of ["open", "close", "message", "unread", "status"]) {
        const stop = window.Frontdesk.on(event, (detail) => window.heard.push([event, detail?.text ?? detail?.count ?? detail?.state]));
        if (event === "close") stop();
      }
      window.Frontdesk.open();
    });
    await chat.fromBot.first().waitFor();
    await page.evaluate(() => window.Frontdesk.close());
    standIn.setState(standIn.latest, "human");
    standIn.post(standIn.latest, { author: "agent", text: "Maya here." });
    await chat.badge.waitFor();
    assert.deepEqual(await page.evaluate(() => window.heard), [
      ["open", undefined], ["message", "Hello! How can I help you today?"], ["status", "human"], ["message", "Maya here."], ["unread", 1],
    ]);
  });

  test("keeps what is written when the page changes the language", async () => {
    await begin("/embed");
    await chat.field.fill("half a sent");
    await page.locator("frontdesk-chat").evaluate((element) => element.setAttribute("data-language", "zh"));
    await chat.panel.getByText("AI 助手", { exact: true }).waitFor();
    assert.equal(await chat.field.inputValue(), "half a sent");
  });
});
