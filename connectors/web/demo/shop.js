// The demo shop: shows the products of /demo/shop.json, signs in as one of its customers and lets
// the chat beside it be tried out.

import { productArt } from "./art.js";

const TEXTS = {
  en: {
    lead: "Browse a little, then ask us anything – about a product, an order, or how returns work. Our assistant answers right away, and a person is never far.",
    tryAsking: "Try asking",
    questions: ["How do I return something?", "Where is my order?", "How long does delivery take?", "I’d like to talk to a person"],
    products: "Our products",
    all: "All",
    categories: "Categories",
    language: "Language",
    signIn: "Customer",
    anonymous: "Browse as a guest",
    as: (name) => `Sign in as ${name}`,
    ask: "Ask",
    askAbout: (name) => `Tell me about the ${name}.`,
    footer: "This is a demonstration shop: nothing is for sale, and its customers are invented.",
    noShop: "The products could not be loaded. Is the Frontdesk server running with its demo enabled?",
    noToken: "Signing in did not work. Is the Frontdesk server running with its demo enabled?",
  },
  zh: {
    lead: "随便逛逛，有问题尽管问：商品、订单、退换货都可以。智能助手即时回复，人工客服随时待命。",
    tryAsking: "试着问问",
    questions: ["退货政策是什么？", "我的订单到哪里了？", "送货要多久？", "我想找人工客服"],
    products: "全部商品",
    all: "全部",
    categories: "分类",
    language: "语言",
    signIn: "顾客",
    anonymous: "以访客身份浏览",
    as: (name) => `以 ${name} 的身份登录`,
    ask: "咨询",
    askAbout: (name) => `请介绍一下 ${name}。`,
    footer: "这是一个演示商店：商品不出售，顾客均为虚构。",
    noShop: "商品加载失败。请确认 Frontdesk 服务器已启动并启用演示。",
    noToken: "登录失败。请确认 Frontdesk 服务器已启动并启用演示。",
  },
};

const find = (id) => document.getElementById(id);
let language = navigator.language.startsWith("zh") ? "zh" : "en";
let shop = { name: "", tagline: "", products: [], customers: [] };
let category = null;

function element(tag, props = {}, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

function complain(key) {
  find("trouble").textContent = TEXTS[language][key];
  find("trouble").hidden = false;
}

function draw() {
  const texts = TEXTS[language];
  document.documentElement.lang = language;
  document.title = shop.name || "Shop";
  find("name").textContent = shop.name;
  find("tagline").textContent = shop.tagline;
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = texts[place.dataset.text];
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", texts[place.dataset.label]);
  for (const button of document.querySelectorAll(".languages button")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  find("questions").replaceChildren(
    ...texts.questions.map((text) => element("li", {}, element("button", { type: "button", textContent: text, onclick: () => window.Frontdesk?.say(text) }))),
  );
  drawCustomers(texts);
  drawProducts(texts);
}

function drawCustomers(texts) {
  const chosen = find("customer").value;
  const options = shop.customers.map(({ id, name }) => element("option", { value: id, textContent: texts.as(name) }));
  find("customer").replaceChildren(element("option", { value: "", textContent: texts.anonymous }), ...options);
  find("customer").value = chosen;
}

function drawProducts(texts) {
  const categories = [...new Set(shop.products.map((product) => product.category))];
  const filters = [null, ...categories].map((name) => {
    const choose = () => {
      category = name;
      drawProducts(texts);
    };
    const button = element("button", { type: "button", textContent: name ?? texts.all, onclick: choose });
    button.setAttribute("aria-pressed", String(name === category));
    return button;
  });
  find("categories").replaceChildren(...filters);
  const shown = shop.products.filter((product) => category === null || product.category === category);
  find("products").replaceChildren(...shown.map((product) => productCard(product, texts)));
}

function productCard(product, texts) {
  const ask = element("button", { type: "button", textContent: texts.ask, onclick: () => window.Frontdesk?.say(texts.askAbout(product.name)) });
  ask.setAttribute("aria-label", `${texts.ask}: ${product.name}`);
  return element(
    "li",
    { className: "product" },
    productArt(product),
    element(
      "div",
      { className: "words" },
      element("span", { className: "kind", textContent: product.category }),
      element("h3", { textContent: product.name }),
      element("p", { className: "about", textContent: product.description }),
      element("div", { className: "offer" }, element("span", { className: "price", textContent: priceLabel(product.price) }), ask),
    ),
  );
}

/** A number is in dollars; a text says itself what it is. */
function priceLabel(price) {
  if (typeof price !== "number") return String(price);
  return new Intl.NumberFormat(language, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" }).format(price);
}

async function signIn(customer) {
  if (customer === "") {
    window.Frontdesk?.identify(null);
    return;
  }
  try {
    const answer = await fetch("/demo/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ customer }),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { token } = await answer.json();
    window.Frontdesk?.identify(token);
  } catch {
    find("customer").value = "";
    complain("noToken");
  }
}

function switchLanguage(chosen) {
  language = chosen;
  document.querySelector("frontdesk-chat")?.setAttribute("data-language", chosen);
  draw();
}

find("customer").addEventListener("change", (event) => signIn(event.target.value));
for (const button of document.querySelectorAll(".languages button")) {
  button.addEventListener("click", () => switchLanguage(button.dataset.language));
}
draw();
try {
  const answer = await fetch("/demo/shop.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  shop = await answer.json();
  draw();
} catch {
  complain("noShop");
}
