import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Message } from "../../src/engine/protocol.js";
import type { Snapshot } from "../../src/engine/session.js";
import { stringsOf } from "../../src/i18n.js";
import { noticeOf } from "../../src/view/notice.js";
import { offeredReplies, threadItems } from "../../src/view/thread-items.js";

const NOON = new Date(2026, 4, 20, 12).getTime();
const MINUTE = 60_000;

const EMPTY: Snapshot = {
  phase: "online", state: "bot", messages: [], outbox: [], drafts: [], typing: false, wait: null, unread: 0, rated: false, signedOut: false, hold: null,
};

function said(seq: number, author: Message["author"], at: number, fields: Partial<Message> = {}): Message {
  return { seq, author, text: "x", at, sources: [], actions: [], ...fields };
}

describe("rows", () => {
  test("begin each day with its name and join what one author says in one breath", () => {
    const messages = [
      said(1, "bot", NOON - 24 * 60 * MINUTE), said(2, "bot", NOON), said(3, "bot", NOON + MINUTE),
      said(4, "bot", NOON + 7 * MINUTE), said(5, "customer", NOON + 8 * MINUTE),
    ];
    const rows = threadItems({ ...EMPTY, messages }, NOON + 9 * MINUTE, "en");
    const short = rows.map((row) => (row.kind === "day" ? row.label : row.kind === "message" && row.joins ? "joins" : row.kind));
    assert.deepEqual(short, ["Yesterday", "message", "Today", "message", "joins", "message", "message"]);
  });

  test("keep their key when a message on its way is stored", () => {
    const outgoing = { id: "a", text: "x", at: NOON, delivery: "sending" } as const;
    const before = threadItems({ ...EMPTY, outbox: [outgoing] }, NOON, "en");
    const after = threadItems({ ...EMPTY, messages: [said(1, "customer", NOON, { id: "a" })] }, NOON, "en");
    assert.deepEqual(before.map((row) => row.key), after.map((row) => row.key));
  });

  test("say sent only of the last message, until a reply begins", () => {
    const messages = [said(1, "customer", NOON), said(2, "customer", NOON)];
    const sent = (snapshot: Snapshot) => threadItems(snapshot, NOON, "en").map((row) => row.kind === "message" && row.sent);
    assert.deepEqual(sent({ ...EMPTY, messages }), [false, false, true]);
    assert.deepEqual(sent({ ...EMPTY, messages, typing: true }), [false, false, false]);
  });
});

describe("quick replies", () => {
  const actions = [{ kind: "say", text: "Yes" }, { kind: "human", text: "A person" }] as const;
  const asked = { ...EMPTY, messages: [said(1, "bot", NOON, { actions })] };

  test("are offered under the last message only, while nothing is going on", () => {
    assert.equal(offeredReplies(asked).length, 2);
    assert.equal(offeredReplies({ ...asked, messages: [...asked.messages, said(2, "customer", NOON)] }).length, 0);
    assert.equal(offeredReplies({ ...asked, outbox: [{ id: "a", text: "x", at: 1, delivery: "sending" }] }).length, 0);
    assert.equal(offeredReplies({ ...asked, state: "closed" }).length, 0);
  });

  test("do not offer a person to whom one is talking already", () => {
    assert.deepEqual(offeredReplies({ ...asked, state: "human" }).map((reply) => reply.kind), ["say"]);
  });
});

test("the notice tells the gravest thing first, and nothing when all is well", () => {
  const strings = stringsOf("en");
  assert.equal(noticeOf(EMPTY, true, strings), null);
  assert.equal(noticeOf({ ...EMPTY, state: "human", phase: "waiting", signedOut: true }, true, strings)?.text, strings.signedOut);
  assert.equal(noticeOf({ ...EMPTY, state: "human", phase: "waiting" }, true, strings)?.text, strings.reconnecting);
  assert.equal(noticeOf({ ...EMPTY, phase: "connecting" }, false, strings)?.text, strings.connecting);
  assert.equal(noticeOf({ ...EMPTY, hold: { reason: "too_fast", until: 1 } }, true, strings), null, "nothing waits to be sent");
  assert.equal(noticeOf({ ...EMPTY, state: "human" }, true, strings)?.text, strings.withPerson);
});
