// What the stand-in says, and the shop that it pretends to serve.

const RETURNS = { id: "doc-returns", title: "Returns policy", url: "https://shop.example.com/help/returns" };
const WARRANTY = { id: "doc-warranty", title: "Warranty terms", url: "https://shop.example.com/help/warranty" };
const RETURNS_ZH = { id: "doc-returns-zh", title: "退货政策", url: "https://shop.example.com/help/returns" };

const person = (text) => ({ kind: "human", text });
const say = (text) => ({ kind: "say", text });

/** The first message of a conversation. */
export function greeting(language) {
  return language.startsWith("zh") ? "您好！请问有什么可以帮您？" : "Hello! How can I help you today?";
}

const REPLIES = [
  [/退货/, {
    preview: { text: "商品签收后 30 天内可以免费退货，商品需保持完好并保留原包装。", sources: [RETURNS_ZH] },
    text: "您可以在签收后 **30 天内**免费退货：\n\n1. 打开“我的订单”，选择要退的商品\n2. 打印退货标签，贴在原包装上\n3. 交给任意快递网点\n\n收到退货后，我们会在 **5 个工作日**内退款至原支付方式。",
    sources: [RETURNS_ZH],
    actions: [say("退款需要多久？"), person("转人工客服")],
  }],
  [/return|refund/i, {
    preview: { text: "Items can be returned within 30 days of delivery, free of charge. They must be unused and in their original packaging.", sources: [RETURNS] },
    text: "You can return any item within **30 days** of delivery, free of charge:\n\n1. Open **My orders** and choose the item\n2. Print the label and put it on the parcel\n3. Hand it in at any parcel shop\n\nYour refund arrives within **5 working days** after we receive the parcel.",
    sources: [RETURNS, WARRANTY],
    actions: [say("How do I print the label?"), say("What about gifts?"), person("Talk to a person")],
  }],
  [/gift/i, { text: "Gifts can be returned too: you get store credit instead of a refund. See [gift returns](https://shop.example.com/help/gifts).", sources: [RETURNS] }],
  [/markup|<|javascript:/i, { text: "<img src=x onerror=alert(1)> and [a link](javascript:alert(1)) and **bold**" }],
  [/long/i, { text: Array.from({ length: 30 }, (_, i) => `Paragraph ${i + 1} of a long reply.`).join("\n\n") }],
];

/** The reply to `text`, as the fields of a message, with its preview. */
export function replyTo(text) {
  const reply = REPLIES.find(([pattern]) => pattern.test(text))?.[1];
  return reply ?? { text: "I’m not sure about that. Could you tell me a little more?", actions: [person("Talk to a person")] };
}

const product = (id, name, category, price, description) => ({ id, name, category, price, description });

/** `/demo/shop.json`. */
export const demoShop = {
  name: "Harbour & Pine",
  tagline: "Well-made things for everyday life",
  products: [
    product("p1", "Wireless Earbuds", "Electronics", 129, "Clear sound, eight hours of battery and a case that fits every pocket."),
    product("p2", "Espresso Machine", "Kitchen", 289.5, "Fifteen bar of pressure and a steam wand that is a pleasure to use."),
    product("p3", "Hiking Boots", "Outdoor", 164.9, "Waterproof leather, a firm sole, and soft from the very first mile."),
    product("p4", "Desk Lamp", "Home", 74, "Warm light for late evenings, bright light for long days."),
    product("p5", "Backpack", "Outdoor", 98, "Twenty-two litres, a padded laptop sleeve and no rattling zips."),
    product("p6", "Mechanical Keyboard", "Electronics", 149, "Quiet switches, a solid frame and keycaps that do not shine."),
    product("p7", "Fleece Jacket", "Clothing", 89, "Light, warm, and made of recycled yarn."),
    product("p8", "Office Chair", "Home", 349, "Adjusts to you in all the places where it matters."),
  ],
  customers: [
    { id: "ada", name: "Ada Park" },
    { id: "noah", name: "Noah Brown" },
  ],
};
