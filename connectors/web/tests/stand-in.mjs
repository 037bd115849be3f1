// A small server that speaks the chat protocol, for developing and testing the widget without the
// real one. It answers from a script, and a test can cut, refuse, mute or fail it at will.
// On its own: `node tests/stand-in.mjs` serves dist/ at http://localhost:8090.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { demoShop, greeting, replyTo } from "./stand-in-script.mjs";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Starts a server; port 0 takes a free one. `paceMs` is the time between two deltas. */
export async function startStandIn({ port = 0, paceMs = 8 } = {}) {
  const standIn = new StandIn(paceMs);
  const http = createServer((request, response) => standIn.serve(request, response));
  const sockets = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, socket, head) => {
    if (standIn.down) return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (ws) => standIn.welcome(ws));
  });
  await new Promise((resolve) => http.listen(port, "127.0.0.1", resolve));
  standIn.url = `http://127.0.0.1:${http.address().port}`;
  standIn.close = () => {
    standIn.drop();
    http.closeAllConnections();
    return new Promise((resolve) => http.close(resolve));
  };
  return standIn;
}

class StandIn {
  /** New connections are refused while true. */
  down = false;
  /** Messages are neither stored nor acknowledged while true. */
  deaf = false;
  /** Messages are stored, but their acknowledgements get lost, while true. */
  loseAcks = false;
  /** Sent instead of an acknowledgement, once. */
  nextError = null;
  /** Replies stop after the first delta while true. */
  stall = false;
  /** Every frame received, oldest first. */
  received = [];
  conversations = new Map();
  peers = new Set();

  constructor(paceMs) {
    this.paceMs = paceMs;
  }

  /** Cuts every connection. */
  drop() {
    for (const peer of this.peers) peer.socket.terminate();
  }

  /** The conversation that was opened last. */
  get latest() {
    return [...this.conversations.values()].at(-1);
  }

  framesOf(type) {
    return this.received.filter((frame) => frame.type === type);
  }

  /** Stores a message and tells everyone in the conversation. */
  post(conversation, message) {
    const stored = { type: "message", seq: conversation.messages.length + 1, at: Date.now(), sources: [], actions: [], ...message };
    conversation.messages.push(stored);
    this.tell(conversation, stored);
    return stored;
  }

  setState(conversation, state) {
    conversation.state = state;
    this.tell(conversation, { type: "status", state });
  }

  tell(conversation, frame) {
    for (const peer of this.peers) if (peer.conversation === conversation) peer.send(frame);
  }

  welcome(socket) {
    const peer = { socket, conversation: null, send: (frame) => socket.send(JSON.stringify(frame)) };
    this.peers.add(peer);
    socket.on("close", () => this.peers.delete(peer));
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data));
      this.received.push(frame);
      this.handle(peer, frame);
    });
  }

  handle(peer, frame) {
    const { conversation } = peer;
    if (frame.type === "hello") return this.hello(peer, frame);
    if (!conversation) return peer.send({ type: "error", code: "out_of_turn", message: "Say hello first." });
    if (frame.type === "message") return this.message(peer, frame);
    if (frame.type === "human") {
      this.setState(conversation, "human");
      this.post(conversation, { author: "system", text: "You are now talking to a person of our team." });
    }
    if (frame.type === "end") this.setState(conversation, "closed");
  }

  hello(peer, { token, conversation: asked, after = 0, language = "en" }) {
    if (token === "expired") return peer.send({ type: "error", code: "bad_token", message: "The token has expired." });
    if (asked && !this.conversations.has(asked)) {
      return peer.send({ type: "error", code: "unknown_conversation", message: "There is no such conversation." });
    }
    const id = asked ?? randomUUID();
    const conversation = this.conversations.get(id) ?? { id, token, messages: [], state: "bot" };
    this.conversations.set(id, conversation);
    peer.conversation = conversation;
    peer.send({ type: "welcome", conversation: id, seq: conversation.messages.length });
    peer.send({ type: "status", state: conversation.state });
    for (const message of conversation.messages.slice(after)) peer.send(message);
    if (conversation.messages.length === 0) this.post(conversation, { author: "bot", text: greeting(language) });
  }

  message(peer, { id, text }) {
    const { conversation } = peer;
    if (this.deaf) return;
    if (this.nextError) {
      peer.send({ type: "error", message: "", ...this.nextError });
      this.nextError = null;
      return;
    }
    if (conversation.state === "closed") return peer.send({ type: "error", code: "out_of_turn", message: "The conversation has ended." });
    const known = conversation.messages.find((message) => message.id === id);
    const stored = known ?? this.post(conversation, { author: "customer", text, id });
    if (!this.loseAcks) peer.send({ type: "ack", id, seq: stored.seq });
    if (!known && conversation.state === "bot") this.reply(conversation, replyTo(text));
  }

  /** Writes a reply as the real server does: typing, preview, deltas, and the message at last. */
  async reply(conversation, { preview, text, ...rest }) {
    const turn = randomUUID();
    this.tell(conversation, { type: "typing", on: true });
    await this.pause(10);
    if (preview) this.tell(conversation, { type: "preview", turn, ...preview });
    await this.pause(10);
    for (const part of text.match(/\S+\s*|\s+/g)) {
      this.tell(conversation, { type: "delta", turn, text: part });
      if (this.stall) return;
      await this.pause(1);
    }
    this.tell(conversation, { type: "typing", on: false });
    this.post(conversation, { author: "bot", text, turn, ...rest });
  }

  pause(steps) {
    return new Promise((resolve) => setTimeout(resolve, steps * this.paceMs));
  }

  async serve(request, response) {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (pathname === "/demo/shop.json") return json(response, demoShop);
    if (pathname === "/demo/token") return json(response, { token: await tokenFor(request) });
    if (pathname === "/embed") return html(response, embedPage(searchParams));
    try {
      const name = pathname === "/" ? "index.html" : pathname.slice(1);
      const body = await readFile(join(dist, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }
}

/**
 * A bare page that embeds the widget, with the attributes of the query, under a strict policy.
 * `own` gives the page an element of its own with that title, `twice` a second script tag.
 */
function embedPage(query) {
  const attributes = new Map(query);
  const own = attributes.get("own");
  const twice = attributes.delete("twice");
  attributes.delete("own");
  const data = [...attributes].map(([name, value]) => ` data-${name}="${value}"`).join("");
  const script = `<script src="/frontdesk.js" defer${data}></script>`;
  const element = own ? `<frontdesk-chat data-title="${own}"></frontdesk-chat>` : "";
  return `<!doctype html><html lang="en"><title>Page</title><body><p>A page</p>${element}${script}${twice ? script : ""}</body></html>`;
}

async function tokenFor(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  const claims = Buffer.from(JSON.stringify({ sub: JSON.parse(body).customer })).toString("base64url");
  return `e30.${claims}.c2ln`;
}

function json(response, value) {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function html(response, page) {
  const policy = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws:; require-trusted-types-for 'script'";
  response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy }).end(page);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const standIn = await startStandIn({ port: 8090, paceMs: 40 });
  console.log(`The stand-in serves the demo page at ${standIn.url}`);
}
