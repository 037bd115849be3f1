/** What stands in the thread, in order: a pure function of the conversation, for the view to draw. */

import { dayLabel, startOfDay, type Language } from "../i18n.js";
import type { Outgoing } from "../engine/outbox.js";
import type { Message, QuickReply } from "../engine/protocol.js";
import type { Snapshot } from "../engine/session.js";

/** One row of the thread. A row whose `version` is unchanged looks as it did. */
export type Item = { readonly key: string; readonly version: string } & (
  | { readonly kind: "day"; readonly label: string }
  | { readonly kind: "message"; readonly message: Message; readonly joins: boolean; readonly sent: boolean }
  | { readonly kind: "outgoing"; readonly outgoing: Outgoing; readonly joins: boolean }
);

/** Messages of one author closer together than this stand as one group. */
const GROUP_MS = 5 * 60_000;

/** The rows for `snapshot`, oldest first. */
export function threadItems(snapshot: Snapshot, now: number, language: Language): Item[] {
  const items: Item[] = [];
  let previous: Message | null = null;
  for (const message of snapshot.messages) {
    if (!previous || startOfDay(previous.at) !== startOfDay(message.at)) items.push(dayItem(message.at, now, language));
    items.push(messageItem(message, previous, snapshot));
    previous = message;
  }
  for (const outgoing of snapshot.outbox) {
    if (items.length === 0) items.push(dayItem(outgoing.at, now, language));
    const joins = items.at(-1)?.kind === "outgoing" || previous?.author === "customer";
    items.push({ kind: "outgoing", key: `c:${outgoing.id}`, version: `${outgoing.delivery}:${joins}`, outgoing, joins });
  }
  return items;
}

/** The buttons to offer: those of the last message, while nothing has been said since. */
export function offeredReplies(snapshot: Snapshot): readonly QuickReply[] {
  const last = snapshot.messages.at(-1);
  const idle = snapshot.outbox.length === 0 && snapshot.drafts.length === 0 && snapshot.state !== "closed";
  const replies = idle && last && last.author !== "customer" ? last.actions : [];
  return snapshot.state === "human" ? replies.filter((reply) => reply.kind !== "human") : replies;
}

function messageItem(message: Message, previous: Message | null, snapshot: Snapshot): Item {
  const joins =
    previous !== null && previous.author === message.author && message.at - previous.at < GROUP_MS &&
    startOfDay(previous.at) === startOfDay(message.at);
  // "Sent" is worth saying only while nothing else shows that the message has arrived.
  const isLast = snapshot.messages.at(-1) === message && snapshot.outbox.length === 0;
  const sent = message.author === "customer" && isLast && !snapshot.typing && snapshot.drafts.length === 0;
  const key = message.author === "customer" && message.id ? `c:${message.id}` : `m:${message.seq}`;
  return { kind: "message", key, version: `${message.seq}:${message.text.length}:${joins}:${sent}`, message, joins, sent };
}

function dayItem(at: number, now: number, language: Language): Item {
  const label = dayLabel(at, now, language);
  return { kind: "day", key: `d:${startOfDay(at)}`, version: label, label };
}
