import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Bench, FakeStore, message } from "./bench.js";

describe("saying hello", () => {
  test("a first hello names neither conversation nor position", () => {
    const bench = new Bench().online();
    assert.deepEqual(bench.socket.sent, [{ type: "hello", language: "en" }]);
  });

  test("a hello after a break resumes behind the last message seen", () => {
    const bench = new Bench(new FakeStore(), "token").online();
    bench.socket.say(message(1));
    bench.socket.say(message(2));
    bench.breakAndReconnect().welcome("c1", 2);
    assert.deepEqual(bench.socket.sent[0], { type: "hello", token: "token", conversation: "c1", after: 2, language: "en" });
  });

  test("a page load shows the stored messages and asks only for later ones", () => {
    const store = new FakeStore();
    new Bench(store).online().socket.say(message(1));
    const reloaded = new Bench(store);
    assert.deepEqual(reloaded.texts, ["text 1"]);
    reloaded.online("c1", 1);
    assert.deepEqual(reloaded.socket.sentOf("hello")[0]?.after, 1);
  });

  test("a conversation without stored messages is asked for from the start", () => {
    const store = new FakeStore({ conversation: "c1", state: "bot", messages: [], outbox: [], read: 0, rated: false });
    const bench = new Bench(store).online("c1", 5);
    assert.equal(bench.socket.sentOf("hello")[0]?.after, 0);
  });

  test("nothing connects before it is told to", () => {
    assert.equal(new Bench().sockets.length, 0);
  });

  test("a server that lost the end of the conversation is asked for all of it", () => {
    const bench = new Bench().online();
    for (const seq of [1, 2, 3]) bench.socket.say(message(seq));
    bench.breakAndReconnect().welcome("c1", 1);
    bench.untilConnecting();
    bench.socket.events.opened();
    assert.equal(bench.socket.sentOf("hello")[0]?.after, 0);
    assert.deepEqual(bench.texts, []);
  });
});

describe("messages received", () => {
  test("stand in order and once each, however they arrive", () => {
    const bench = new Bench().online();
    for (const seq of [2, 1, 3, 2, 1]) bench.socket.say(message(seq));
    assert.deepEqual(bench.texts, ["text 1", "text 2", "text 3"]);
    assert.equal(bench.events.filter((event) => event.type === "received").length, 3);
  });

  test("a gap is resumed before it when it does not close by itself", () => {
    const bench = new Bench().online();
    bench.socket.say(message(1));
    bench.socket.say(message(3));
    bench.untilConnecting();
    bench.socket.events.opened();
    assert.equal(bench.socket.sentOf("hello")[0]?.after, 1);
  });

  test("what lies behind a gap is not stored as if it were complete", () => {
    const bench = new Bench().online();
    bench.socket.say(message(1));
    bench.socket.say(message(3));
    assert.deepEqual(bench.store.memory?.messages.map((one) => one.seq), [1]);
  });

  test("unread counts what others wrote until the customer reads it", () => {
    const bench = new Bench().online();
    bench.socket.say(message(1));
    bench.socket.say(message(2, { author: "customer", id: "elsewhere" }));
    bench.socket.say(message(3, { author: "agent" }));
    assert.equal(bench.view.unread, 2);
    bench.session.setReading(true);
    assert.equal(bench.view.unread, 0);
    bench.session.setReading(false);
    assert.equal(new Bench(bench.store).view.unread, 0, "a reload does not bring the badge back");
  });

  test("frames that cannot be understood change nothing", () => {
    const bench = new Bench().online();
    for (const text of ["", "{", "[]", "null", '{"type":"message","seq":"1"}', '{"type":"dance"}', '{"type":"message"}']) {
      bench.socket.events.received(text);
    }
    assert.deepEqual(bench.texts, []);
    assert.equal(bench.view.phase, "online");
  });
});

describe("replies being written", () => {
  test("a turn that is begun anew takes the place of what it had said", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "delta", turn: "t1", text: "Your order" });
    bench.socket.say({ type: "delta", turn: "t2", text: "Your" });
    assert.deepEqual(bench.view.drafts.map((draft) => draft.text), ["Your"]);
  });

  test("a person who takes over ends what the bot was saying", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "delta", turn: "t", text: "Half a" });
    bench.socket.say({ type: "typing", on: true });
    bench.socket.say({ type: "status", state: "human" });
    assert.deepEqual(bench.view.drafts, []);
    assert.equal(bench.view.typing, false);
    bench.socket.say({ type: "delta", turn: "t", text: " sentence" });
    assert.deepEqual(bench.view.drafts, []);
  });

  test("a long wait is told until something can be read", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "typing", on: true });
    assert.equal(bench.view.wait, null);
    bench.socket.say({ type: "typing", on: true, wait: 12 });
    assert.equal(bench.view.wait, 12);
    bench.socket.say({ type: "typing", on: false });
    assert.equal(bench.view.wait, null);
  });

  test("deltas add up, and the message of their turn replaces them", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "typing", on: true });
    bench.socket.say({ type: "preview", turn: "t", text: "passage", sources: [{ id: "d", title: "Doc" }] });
    bench.socket.say({ type: "delta", turn: "t", text: "Hel" });
    bench.socket.say({ type: "delta", turn: "t", text: "lo" });
    assert.equal(bench.view.drafts[0]?.text, "Hello");
    assert.equal(bench.view.drafts[0]?.preview?.sources[0]?.title, "Doc");
    bench.socket.say(message(1, { turn: "t", text: "Hello." }));
    bench.socket.say({ type: "delta", turn: "t", text: "straggler" });
    assert.deepEqual(bench.view.drafts, []);
    assert.equal(bench.view.typing, false);
  });

  test("a broken connection leaves no half reply, and the turn may come again under another id", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "delta", turn: "t1", text: "Half a" });
    bench.socket.events.closed();
    assert.deepEqual(bench.view.drafts, []);
    bench.untilConnecting();
    bench.welcome();
    bench.socket.say({ type: "delta", turn: "t2", text: "Whole" });
    bench.socket.say(message(1, { turn: "t2", text: "Whole" }));
    assert.deepEqual(bench.texts, ["Whole"]);
    assert.deepEqual(bench.view.drafts, []);
  });
});

describe("messages sent", () => {
  test("are on their way until acknowledged, then in the log", () => {
    const bench = new Bench().online();
    bench.session.send("  Hi  ");
    assert.deepEqual(bench.view.outbox.map((one) => [one.text, one.delivery]), [["Hi", "sending"]]);
    bench.socket.say({ type: "ack", id: "id1", seq: 1 });
    assert.deepEqual(bench.view.outbox, []);
    assert.deepEqual(bench.texts, ["Hi"]);
  });

  test("the server's own copy does not double an acknowledged message", () => {
    const bench = new Bench().online();
    bench.session.send("Hi");
    bench.socket.say({ type: "ack", id: "id1", seq: 1 });
    bench.socket.say(message(1, { author: "customer", text: "Hi", id: "id1" }));
    assert.deepEqual(bench.texts, ["Hi"]);
  });

  test("the server's copy may come before the acknowledgement", () => {
    const bench = new Bench().online();
    bench.session.send("Hi");
    bench.socket.say(message(1, { author: "customer", text: "Hi", id: "id1" }));
    bench.socket.say({ type: "ack", id: "id1", seq: 1 });
    assert.deepEqual(bench.texts, ["Hi"]);
    assert.deepEqual(bench.view.outbox, []);
  });

  test("blank text is not sent", () => {
    const bench = new Bench().online();
    bench.session.send(" \n ");
    assert.deepEqual(bench.socket.sentOf("message"), []);
  });

  test("are sent again under the same id on every new connection, in order", () => {
    const bench = new Bench().online();
    bench.session.send("one");
    bench.session.send("two");
    bench.breakAndReconnect().welcome();
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => [frame.id, frame.text]), [["id1", "one"], ["id2", "two"]]);
    bench.socket.say({ type: "ack", id: "id1", seq: 1 });
    bench.breakAndReconnect().welcome("c1", 1);
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.id), ["id2"]);
  });

  test("written while offline go out when the connection is back", () => {
    const bench = new Bench();
    bench.session.send("early");
    bench.welcome();
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.text), ["early"]);
  });

  test("survive a page load and are sent again under their id", () => {
    const bench = new Bench().online();
    bench.session.send("unheard");
    const reloaded = new Bench(bench.store, null, "other").online();
    assert.deepEqual(reloaded.socket.sentOf("message").map((frame) => frame.id), ["id1"]);
  });

  test("a mute server is given up after ten seconds, and the message sent again", () => {
    const bench = new Bench().online();
    bench.session.send("hello?");
    const mute = bench.socket;
    bench.clock.pass(9_999);
    assert.equal(mute.closed, false);
    bench.clock.pass(1);
    assert.equal(mute.closed, true);
    bench.clock.pass(2_000);
    bench.welcome();
    assert.equal(bench.socket.sentOf("message").length, 1);
  });

  test("one that takes long is marked, and still sent when it can be", () => {
    const bench = new Bench().online();
    bench.socket.events.closed();
    bench.session.send("slow");
    bench.clock.pass(20_000);
    assert.equal(bench.view.outbox[0]?.delivery, "delayed");
    bench.session.retry("id1");
    assert.equal(bench.view.outbox[0]?.delivery, "sending");
    bench.welcome();
    assert.equal(bench.socket.sentOf("message").length, 1);
  });

  test("another tab's message appears here once", () => {
    const store = new FakeStore();
    const first = new Bench(store, null, "a").online();
    const second = new Bench(store, null, "b").online();
    first.session.send("from the first");
    for (const bench of [first, second]) bench.socket.say(message(1, { author: "customer", text: "from the first", id: "a1" }));
    first.socket.say({ type: "ack", id: "a1", seq: 1 });
    assert.deepEqual([first.texts, second.texts], [["from the first"], ["from the first"]]);
  });
});

describe("reconnecting", () => {
  test("waits longer every time, at most half a minute", () => {
    const bench = new Bench();
    bench.session.start();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const before = bench.sockets.length;
      bench.socket.events.closed();
      let waited = 0;
      while (bench.sockets.length === before) {
        bench.clock.pass(250);
        waited += 250;
      }
      waits.push(waited);
    }
    assert.deepEqual(waits, [750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
  });

  test("a welcome that lasts resets the wait, a flapping server does not", () => {
    const bench = new Bench().online();
    for (let i = 0; i < 5; i += 1) {
      bench.breakAndReconnect().welcome();
    }
    bench.socket.events.closed();
    bench.clock.pass(10_000);
    assert.equal(bench.view.phase, "waiting", "five short-lived connections have made it patient");
    bench.untilConnecting().welcome();
    bench.clock.pass(5_000);
    bench.socket.events.closed();
    bench.clock.pass(750);
    assert.equal(bench.view.phase, "connecting");
  });

  test("a lost network is noticed at once, and its return cuts the wait short", () => {
    const bench = new Bench().online();
    bench.session.networkLost();
    assert.equal(bench.view.phase, "waiting");
    bench.session.start();
    assert.equal(bench.view.phase, "connecting");
  });

  test("a server that accepts and says nothing is given up", () => {
    const bench = new Bench();
    bench.session.start();
    bench.socket.events.opened();
    bench.clock.pass(10_000);
    assert.equal(bench.view.phase, "waiting");
  });

  test("late words of a closed connection are void", () => {
    const bench = new Bench().online();
    const old = bench.socket;
    bench.breakAndReconnect().welcome();
    old.say(message(1));
    old.events.closed();
    assert.deepEqual(bench.texts, []);
    assert.equal(bench.view.phase, "online");
  });

  test("a stopped session stays stopped", () => {
    const bench = new Bench().online();
    bench.session.send("never mind");
    bench.session.stop();
    bench.clock.pass(600_000);
    assert.equal(bench.sockets.length, 1);
    assert.equal(bench.socket.closed, true);
  });
});

describe("quick replies", () => {
  test("a press is told from the same words typed, also when it is sent again", () => {
    const bench = new Bench().online();
    bench.session.send("Yes");
    bench.session.send("Yes", "offer-yes");
    const pressed = () => bench.socket.sentOf("message").map((frame) => frame.pressed);
    assert.deepEqual(pressed(), [undefined, "offer-yes"]);
    bench.breakAndReconnect().welcome("c1", 1);
    assert.deepEqual(pressed(), [undefined, "offer-yes"]);
  });
});
