import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Bench, message } from "./bench.js";

const error = (code: string, fields: object = {}) => ({ type: "error", code, message: "", ...fields });

describe("errors of the server", () => {
  test("too_fast holds everything back for as long as the server asks, then sends it again", () => {
    const bench = new Bench().online();
    bench.session.send("one");
    bench.socket.say(error("too_fast", { retry_after: 7 }));
    bench.session.send("two");
    assert.equal(bench.view.hold?.reason, "too_fast");
    bench.clock.pass(6_999);
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.text), ["one"]);
    bench.clock.pass(1);
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.text), ["one", "one", "two"]);
    assert.equal(bench.view.hold, null);
  });

  test("unavailable in answer to hello is tried again no sooner than the server asks", () => {
    const bench = new Bench();
    bench.session.start();
    bench.socket.events.opened();
    bench.socket.say(error("unavailable", { retry_after: 40 }));
    bench.clock.pass(39_999);
    assert.equal(bench.sockets.length, 1);
    bench.clock.pass(1);
    assert.equal(bench.sockets.length, 2);
  });

  test("unknown_conversation starts afresh and keeps what was not sent", () => {
    const bench = new Bench().online();
    bench.socket.say(message(1));
    bench.session.send("still here");
    bench.breakAndReconnect();
    bench.socket.events.opened();
    bench.socket.say(error("unknown_conversation"));
    assert.deepEqual(bench.texts, []);
    bench.untilConnecting();
    bench.welcome("c2");
    assert.deepEqual(bench.socket.sentOf("hello"), [{ type: "hello", language: "en" }]);
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.text), ["still here"]);
    assert.equal(bench.store.memory?.conversation, "c2");
  });

  test("bad_token stops until the page identifies its customer again", () => {
    const bench = new Bench(undefined, "old");
    bench.session.start();
    bench.socket.events.opened();
    bench.socket.say(error("bad_token"));
    assert.equal(bench.view.signedOut, true);
    assert.equal(bench.events.some((event) => event.type === "signed_out"), true);
    bench.session.send("anyone?");
    bench.clock.pass(600_000);
    assert.equal(bench.sockets.length, 1, "it neither retries nor goes on as somebody else");
    bench.session.renewToken("new");
    bench.welcome();
    assert.equal(bench.socket.sentOf("hello")[0]?.token, "new");
    assert.equal(bench.view.signedOut, false);
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.text), ["anyone?"]);
  });

  test("a refused message waits for the customer and is not sent again by itself", () => {
    const bench = new Bench().online();
    bench.session.send("one");
    bench.session.send("two");
    bench.socket.say(error("too_big"));
    assert.deepEqual(bench.view.outbox.map((one) => one.delivery), ["rejected", "sending"]);
    bench.breakAndReconnect().welcome();
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.text), ["two"]);
    bench.session.retry("id1");
    assert.deepEqual(bench.socket.sentOf("message").map((frame) => frame.id), ["id2", "id1"]);
  });

  test("a message to a conversation that has ended closes it; trying again begins a new one", () => {
    const bench = new Bench().online();
    bench.session.send("too late");
    bench.socket.say(error("out_of_turn"));
    assert.equal(bench.view.state, "closed");
    bench.session.retry("id1");
    bench.welcome("c2");
    assert.equal(bench.view.state, "bot");
    assert.deepEqual(bench.socket.sent.map((frame) => frame.type), ["hello", "message"]);
    assert.equal(bench.socket.sentOf("hello")[0]?.conversation, undefined);
  });

  test("out_of_turn with nothing on its way leaves the conversation open", () => {
    const bench = new Bench().online();
    bench.socket.say(error("out_of_turn"));
    assert.equal(bench.view.state, "bot");
  });

  test("going_away reconnects", () => {
    const bench = new Bench().online();
    bench.socket.say(error("going_away"));
    assert.equal(bench.view.phase, "waiting");
    bench.clock.pass(1_000);
    assert.equal(bench.view.phase, "connecting");
  });
});

describe("wishes", () => {
  test("a person, the end and a rating are asked for", () => {
    const bench = new Bench().online();
    bench.session.requestPerson();
    bench.session.end();
    bench.socket.say({ type: "status", state: "closed" });
    bench.session.rate(4, "  quick ");
    assert.deepEqual(bench.socket.sent.slice(1), [{ type: "human" }, { type: "end" }, { type: "rate", score: 4, comment: "quick" }]);
    assert.equal(bench.view.rated, true);
    assert.equal(bench.store.memory?.rated, true);
  });

  test("said while offline they are sent once, after the welcome", () => {
    const bench = new Bench();
    bench.session.requestPerson();
    bench.welcome();
    bench.breakAndReconnect().welcome();
    const asked = bench.sockets.flatMap((socket) => socket.sentOf("human"));
    assert.equal(asked.length, 1);
  });

  test("a new start leaves the old conversation behind", () => {
    const bench = new Bench().online();
    bench.socket.say(message(1));
    bench.socket.say({ type: "status", state: "closed" });
    bench.session.startOver();
    bench.welcome("c2");
    assert.deepEqual(bench.texts, []);
    assert.equal(bench.view.state, "bot");
    assert.equal(bench.store.memory?.conversation, "c2");
  });

  test("a new start takes up the conversation that another tab has begun", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "status", state: "closed" });
    bench.store.save({ conversation: "other", state: "bot", messages: [], outbox: [], read: 0, rated: false });
    bench.session.startOver();
    bench.socket.events.opened();
    assert.equal(bench.socket.sentOf("hello")[0]?.conversation, "other");
  });
});

describe("typing", () => {
  test("is told at once, then every five seconds at most, and ended when it ends", () => {
    const bench = new Bench().online();
    const told = () => bench.socket.sentOf("typing").map((frame) => frame.on);
    for (let key = 0; key < 40; key += 1) {
      bench.session.keystroke(false);
      bench.clock.pass(200);
    }
    assert.deepEqual(told(), [true, true]);
    bench.clock.pass(6_000);
    assert.deepEqual(told(), [true, true, false]);
  });

  test("an emptied field ends it, a sent message needs no word", () => {
    const bench = new Bench().online();
    bench.session.keystroke(false);
    bench.session.keystroke(true);
    assert.deepEqual(bench.socket.sentOf("typing").map((frame) => frame.on), [true, false]);
    bench.session.keystroke(false);
    bench.session.send("done");
    bench.clock.pass(5_000);
    assert.deepEqual(bench.socket.sentOf("typing").map((frame) => frame.on), [true, false, true]);
  });

  test("is not told offline, nor in a conversation that has ended", () => {
    const bench = new Bench().online();
    bench.socket.say({ type: "status", state: "closed" });
    bench.session.keystroke(false);
    assert.deepEqual(bench.socket.sentOf("typing"), []);
  });
});
