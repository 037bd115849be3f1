// Drives the installed Chromium, and finds the widget's parts as a customer would: by their roles.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** A headless browser with a fresh profile. */
export async function launchBrowser() {
  if (!existsSync(executablePath)) {
    throw new Error(`There is no Chromium at ${executablePath}: install it (apt-get install chromium), or set CHROMIUM to its path.`);
  }
  return chromium.launch({ executablePath, args: FLAGS, headless: true });
}

/** A new page in a context of its own; errors of the page end up in `page.troubles`. */
export async function openPage(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", ...options });
  return openTab(context, address);
}

/** Another tab of `context`. */
export async function openTab(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.FRONTDESK_PATIENCE_MS ?? 10_000));
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  await page.goto(address);
  await page.locator("frontdesk-chat").waitFor({ state: "attached" });
  return page;
}

/** The widget's parts on `page`. */
export function chatOf(page) {
  const chat = page.locator("frontdesk-chat");
  return {
    launcher: chat.locator(".launcher"),
    badge: chat.locator(".badge"),
    panel: chat.getByRole("dialog"),
    field: chat.locator(".field textarea"),
    log: chat.getByRole("log"),
    drafts: chat.locator(".drafts"),
    notice: chat.locator(".notice"),
    replies: chat.locator(".reply"),
    fromBot: chat.locator(".log .row.bot"),
    fromCustomer: chat.locator(".log .row.customer"),
    /** Opens the panel and waits for the conversation's first message. */
    async open() {
      await this.launcher.click();
      await this.fromBot.first().waitFor();
    },
    async send(text) {
      await this.field.fill(text);
      await this.field.press("Enter");
    },
    /** Waits until the bot has written `count` messages and none is being written. */
    async settled(count) {
      await this.fromBot.nth(count - 1).waitFor();
      await page.waitForFunction(() => document.querySelector("frontdesk-chat").shadowRoot.querySelector(".drafts").childElementCount === 0);
    },
  };
}
