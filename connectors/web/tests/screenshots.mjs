// Takes the pictures in docs/, of the widget and the demo page against the server at FRONTDESK_URL
// with the demo shop, else against the stand-in. `node tests/screenshots.mjs FOLDER` puts them
// elsewhere.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chatOf, launchBrowser, openPage } from "./browser.mjs";
import { startStandIn } from "./stand-in.mjs";

const folder = process.argv[2] ?? fileURLToPath(new URL("../docs/", import.meta.url));
const standIn = process.env.FRONTDESK_URL ? null : await startStandIn({ paceMs: 1 });
const url = process.env.FRONTDESK_URL ?? standIn.url;
const browser = await launchBrowser();

async function picture(name, options, question, clip) {
  const page = await openPage(browser, url, options);
  const chat = chatOf(page);
  await chat.open();
  await chat.send(question);
  await chat.settled(2);
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(folder, `${name}.png`), ...(clip && { clip }) });
  await page.context().close();
}

const size = { viewport: { width: 1180, height: 800 } };
const corner = { x: 730, y: 0, width: 450, height: 800 };
await picture("widget-light", size, "How do I return an item?", corner);
await picture("widget-dark", { ...size, colorScheme: "dark" }, "How do I return an item?", corner);
await picture("widget-chinese", { ...size, locale: "zh-CN" }, "怎么退货？", corner);
await picture("widget-phone", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }, "How do I return an item?");
await picture("demo", { viewport: { width: 1360, height: 900 } }, "How do I return an item?");
await browser.close();
await standIn?.close();
