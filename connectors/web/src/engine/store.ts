/**
 * What outlives a page load: the conversation's secret and its last messages, in `localStorage`,
 * one entry for each server and customer. A stored copy is a convenience and never trusted more
 * than the server: whatever cannot be read is as if it were not there.
 */

import type { Outgoing } from "./outbox.js";
import { isOneOf, readMessage, type ConversationState, type Message } from "./protocol.js";

/** A conversation as this browser remembers it. */
export interface Memory {
  /** Its id with its secret, as `welcome` gave it. */
  readonly conversation: string;
  readonly state: ConversationState;
  readonly messages: readonly Message[];
  /** Written, but not known to have arrived. */
  readonly outbox: readonly Outgoing[];
  /** The last `seq` that the customer had before their eyes. */
  readonly read: number;
  readonly rated: boolean;
}

/** Keeps one customer's conversation with one server. */
export interface MemoryStore {
  load(): Memory | null;
  save(memory: Memory): void;
  clear(): void;
}

/** Older messages come from the server when the local copy lacks them altogether. */
const KEEP_MESSAGES = 100;

/** The browser's store for `subject` (null: anonymous) at the server `origin`. */
export function localStore(origin: string, subject: string | null): MemoryStore {
  const key = `frontdesk:1:${origin}:${subject === null ? "anonymous" : `sub:${subject}`}`;
  return {
    load: () => attempt(() => readMemory(localStorage.getItem(key))) ?? null,
    save: (memory) => attempt(() => localStorage.setItem(key, writeMemory(memory))),
    clear: () => attempt(() => localStorage.removeItem(key)),
  };
}

/** Storage may be off, full or forbidden; the chat goes on without it. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** `memory` as stored text, cut to the last messages. */
export function writeMemory(memory: Memory): string {
  return JSON.stringify({ ...memory, messages: memory.messages.slice(-KEEP_MESSAGES) });
}

/** The memory in `text`, or `null` if it holds none. Messages that cannot be read are left out. */
export function readMemory(text: string | null): Memory | null {
  if (text === null) return null;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) return null;
  const stored = value as Partial<Record<keyof Memory, unknown>>;
  if (typeof stored.conversation !== "string") return null;
  return {
    conversation: stored.conversation,
    state: isOneOf(["bot", "human", "closed"] as const, stored.state) ? stored.state : "bot",
    messages: array(stored.messages).flatMap((message) => readMessage(message) ?? []),
    outbox: array(stored.outbox).flatMap((entry) => readOutgoing(entry) ?? []),
    read: typeof stored.read === "number" ? stored.read : 0,
    rated: stored.rated === true,
  };
}

function readOutgoing(value: unknown): Outgoing | null {
  if (typeof value !== "object" || value === null) return null;
  const { id, text, pressed, at, delivery } = value as Partial<Record<keyof Outgoing, unknown>>;
  if (typeof id !== "string" || typeof text !== "string" || typeof at !== "number") return null;
  return {
    id, text, at, delivery: delivery === "rejected" ? "rejected" : "sending",
    ...(typeof pressed === "string" && { pressed }),
  };
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
