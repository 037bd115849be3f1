// What a customer sees, against any server: the real one at FRONTDESK_URL, else the stand-in.
// Nothing here reaches into the server, so the same lines hold for both.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chatOf, launchBrowser, openPage, openTab } from "./browser.mjs";
import { startStandIn } from "./stand-in.mjs";

const QUESTION = "What is your return policy?";

let browser;
let standIn = null;
let url = process.env.FRONTDESK_URL;

before(async () => {
  if (!url) {
    standIn = await startStandIn();
    url = standIn.url;
  }
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await standIn?.close();
});

/** Runs `steps` on a fresh page with a fresh profile; an error thrown by the page fails the test. */
async function onPage(options, steps) {
  const page = await openPage(browser, url, options);
  try {
    await steps(chatOf(page), page);
    assert.deepEqual(page.troubles, []);
  } finally {
    await page.context().close();
  }
}

describe("a conversation", () => {
  test("begins with a greeting and says that it is with an AI", () =>
    onPage({}, async (chat) => {
      await chat.open();
      assert.match(await chat.panel.innerText(), /AI assistant/);
      assert.equal(await chat.panel.isVisible(), true);
      assert.notEqual((await chat.fromBot.first().innerText()).trim(), "");
    }));

  test("shows the question as sent, the reply as it is written, and where it comes from", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await page.evaluate(() => {
        window.draftLengths = [];
        const drafts = document.querySelector("frontdesk-chat").shadowRoot.querySelector(".drafts");
        new MutationObserver(() => window.draftLengths.push(drafts.textContent.length)).observe(drafts, { childList: true, subtree: true, characterData: true });
      });
      await chat.send(QUESTION);
      await chat.fromCustomer.getByText(QUESTION).waitFor();
      await chat.settled(2);
      const lengths = await page.evaluate(() => window.draftLengths);
      assert.ok(new Set(lengths.filter((length) => length > 0)).size > 1, `the reply grows: ${lengths}`);
      assert.notEqual((await chat.fromBot.last().locator(".bubble").innerText()).trim(), "");
      assert.ok((await chat.fromBot.last().locator(".chip").count()) > 0, "the reply names its sources");
      assert.equal(await chat.fromCustomer.count(), 1);
    }));

  test("is there again after a reload, each message once", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await chat.send(QUESTION);
      await chat.settled(2);
      const before = await chat.log.locator(".bubble").allInnerTexts();
      await page.reload();
      await chat.launcher.click();
      await chat.fromBot.nth(1).waitFor();
      await page.waitForTimeout(1000);
      assert.deepEqual(await chat.log.locator(".bubble").allInnerTexts(), before);
    }));

  test("is there again when only its name was kept", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await chat.send(QUESTION);
      await chat.settled(2);
      const before = await chat.log.locator(".bubble").allInnerTexts();
      await page.evaluate(() => {
        for (const [key, value] of Object.entries(localStorage)) {
          if (key.startsWith("frontdesk:")) localStorage.setItem(key, JSON.stringify({ ...JSON.parse(value), messages: [] }));
        }
      });
      await page.reload();
      await chat.launcher.click();
      await chat.fromBot.nth(1).waitFor();
      assert.deepEqual(await chat.log.locator(".bubble").allInnerTexts(), before);
    }));

  test("goes on in a second tab, each message once in both", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      const second = await openTab(page.context(), url);
      const other = chatOf(second);
      await other.open();
      await chat.send(QUESTION);
      await other.fromCustomer.getByText(QUESTION).waitFor();
      await chat.settled(2);
      await other.settled(2);
      assert.equal(await chat.fromCustomer.count(), 1);
      assert.deepEqual(await other.log.locator(".bubble").allInnerTexts(), await chat.log.locator(".bubble").allInnerTexts());
    }));

  test("can be passed to a person", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await chat.panel.getByRole("button", { name: "More options" }).click();
      await page.getByRole("menuitem", { name: "Talk to a person" }).click();
      await chat.notice.getByText("talking to our team").waitFor();
      assert.match(await chat.panel.locator("header").innerText(), /Our team/);
    }));

  test("ends, is rated, and another begins", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await chat.send(QUESTION);
      await chat.settled(2);
      await chat.panel.getByRole("button", { name: "More options" }).click();
      await page.getByRole("menuitem", { name: "End chat" }).click();
      await chat.panel.getByRole("button", { name: "End chat" }).click();
      await chat.panel.getByRole("radio", { name: /4/ }).check();
      await chat.panel.getByLabel(/anything you’d like to add/i).fill("Quick and clear.");
      await chat.panel.getByRole("button", { name: "Send feedback" }).click();
      await chat.panel.getByText("Thank you for your feedback!").waitFor();
      await page.reload();
      await chat.launcher.click();
      await chat.panel.getByText("Thank you for your feedback!").waitFor();
      await chat.panel.getByRole("button", { name: "Start a new chat" }).click();
      await chat.field.waitFor();
      await chat.fromBot.first().waitFor();
      assert.equal(await chat.fromCustomer.count(), 0);
    }));
});

describe("a customer", () => {
  test("sees on the closed chat how much is unread", () =>
    onPage({}, async (chat) => {
      await chat.open();
      await chat.send(QUESTION);
      await chat.fromCustomer.first().waitFor();
      await chat.launcher.click();
      await chat.badge.getByText("1").waitFor();
      assert.equal(await chat.launcher.getAttribute("aria-label"), "Open chat, 1 unread message");
      await chat.launcher.click();
      await chat.badge.waitFor({ state: "hidden" });
    }));

  test("needs no mouse", () =>
    onPage({}, async (chat, page) => {
      await chat.launcher.focus();
      await page.keyboard.press("Enter");
      await chat.fromBot.first().waitFor();
      await page.keyboard.type("What is your");
      await page.keyboard.press("Shift+Enter");
      await page.keyboard.type("return policy?");
      await page.keyboard.press("Enter");
      await chat.settled(2);
      assert.equal(await chat.fromCustomer.locator(".verbatim").innerText(), "What is your\nreturn policy?");
      await page.keyboard.press("Escape");
      await chat.panel.waitFor({ state: "hidden" });
      assert.equal(await chat.launcher.evaluate((button) => button.matches(":focus-visible")), true);
    }));

  test("reads Chinese where the browser does", () =>
    onPage({ locale: "zh-CN" }, async (chat) => {
      await chat.open();
      const words = await chat.panel.innerText();
      assert.match(words, /AI 助手/);
      assert.match(await chat.fromBot.first().innerText(), /[\u4e00-\u9fff]/);
      assert.equal(await chat.field.getAttribute("placeholder"), "请输入消息…");
    }));

  test("gets the dark chat in a dark browser", () =>
    onPage({ colorScheme: "dark" }, async (chat) => {
      await chat.open();
      const [red, green, blue] = await chat.panel.evaluate((panel) => getComputedStyle(panel).backgroundColor.match(/\d+/g).map(Number));
      assert.ok(Math.max(red, green, blue) < 60, "the surface is dark");
    }));

  test("gets a full screen on a phone, and the whole page back", () =>
    onPage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }, async (chat) => {
      await chat.open();
      await chat.panel.evaluate((panel) => Promise.all(panel.getAnimations().map((animation) => animation.finished)));
      const { x, y, width, height } = await chat.panel.boundingBox();
      assert.deepEqual([x, y, width, height], [0, 0, 390, 844]);
      assert.equal(await chat.launcher.isVisible(), false);
      await chat.panel.getByRole("button", { name: "Close chat" }).click();
      await chat.panel.waitFor({ state: "hidden" });
      assert.equal(await chat.launcher.isVisible(), true);
    }));

  test("loses nothing when the network goes and comes back", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await page.context().setOffline(true);
      await chat.notice.getByText("Reconnecting").waitFor();
      await chat.send(QUESTION);
      assert.equal(await chat.panel.locator(".row.sending").count(), 1);
      await page.context().setOffline(false);
      await chat.settled(2);
      await chat.notice.waitFor({ state: "hidden" });
      assert.equal(await chat.fromCustomer.count(), 1);
    }));
});

describe("the demo page", () => {
  test("sells, asks and speaks Chinese", () =>
    onPage({}, async (chat, page) => {
      await page.locator(".product").first().waitFor();
      const suggestion = page.locator("#questions button").first();
      const question = await suggestion.innerText();
      await suggestion.click();
      await chat.settled(2);
      assert.equal(await chat.fromCustomer.first().locator(".verbatim").innerText(), question);
      await page.getByRole("button", { name: "中文" }).click();
      await page.getByText("全部商品").waitFor();
      assert.match(await chat.panel.innerText(), /AI 助手/);
      assert.equal(await chat.fromCustomer.count(), 1, "the conversation stays");
    }));

  test("signs in as a customer, who has a conversation of their own", () =>
    onPage({}, async (chat, page) => {
      await chat.open();
      await chat.send("A guest's question");
      await chat.fromCustomer.first().waitFor();
      await page.locator("#customer option").nth(1).waitFor({ state: "attached" });
      await page.locator("#customer").selectOption({ index: 1 });
      await chat.fromCustomer.first().waitFor({ state: "detached" });
      await chat.fromBot.first().waitFor();
      await page.locator("#customer").selectOption({ index: 0 });
      await chat.fromCustomer.getByText("A guest's question").waitFor();
    }));
});
