/**
 * The chat protocol, version 1: the JSON frames that travel over the WebSocket at `/v1/chat`.
 *
 * What comes from the network is checked here, once; the rest of the widget works with types it
 * can trust. A frame of an unknown type is no error: a newer server may speak to an older widget.
 */

/** Who wrote a message. */
export type Author = "customer" | "bot" | "agent" | "system";

/** Who answers now. */
export type ConversationState = "bot" | "human" | "closed";

/** What a reply rests on. */
export interface Source {
  readonly id: string;
  readonly title: string;
  readonly url?: string;
}

/** A button under a reply: `say` sends its text, `human` asks for a person. */
export interface QuickReply {
  /** Tells a press from the same words typed; absent from servers that do not ask. */
  readonly id?: string;
  readonly kind: "say" | "human";
  readonly text: string;
}

/** A stored message; `seq` counts from 1 within a conversation, without gaps. */
export interface Message {
  readonly seq: number;
  readonly author: Author;
  readonly text: string;
  readonly sources: readonly Source[];
  readonly actions: readonly QuickReply[];
  /** The turn that it ends: it replaces that turn's deltas and preview. */
  readonly turn?: string;
  /** The id that the client which wrote it chose. */
  readonly id?: string;
  /** UTC milliseconds since the epoch. */
  readonly at: number;
}

/** Why the server did not accept something. */
export type ErrorCode =
  | "malformed"
  | "too_big"
  | "too_fast"
  | "out_of_turn"
  | "bad_token"
  | "unknown_conversation"
  | "empty"
  | "unavailable"
  | "going_away";

/** What the server sends. */
export type ServerFrame =
  | { readonly type: "welcome"; readonly conversation: string; readonly seq: number }
  | { readonly type: "ack"; readonly id: string; readonly seq: number }
  /** `wait`: about how many seconds pass until there is something to read, where that is long. */
  | { readonly type: "typing"; readonly on: boolean; readonly wait?: number }
  | { readonly type: "delta"; readonly turn: string; readonly text: string }
  | { readonly type: "preview"; readonly turn: string; readonly text: string; readonly sources: readonly Source[] }
  | ({ readonly type: "message" } & Message)
  | { readonly type: "status"; readonly state: ConversationState }
  | { readonly type: "error"; readonly code: ErrorCode; readonly message: string; readonly retryAfter?: number };

/** What the widget sends. */
export type ClientFrame =
  | { type: "hello"; token?: string; conversation?: string; after?: number; language?: string }
  /** `pressed`: the id of the quick reply that was pressed; absent where the customer typed. */
  | { type: "message"; id: string; text: string; pressed?: string }
  | { type: "typing"; on: boolean }
  | { type: "rate"; score: number; comment?: string }
  | { type: "human" }
  | { type: "end" };

/** The longest message that the server takes, in characters (Unicode scalar values). */
export const MESSAGE_LIMIT = 4000;

const AUTHORS: readonly Author[] = ["customer", "bot", "agent", "system"];
const STATES: readonly ConversationState[] = ["bot", "human", "closed"];
const CODES: readonly ErrorCode[] = [
  "malformed", "too_big", "too_fast", "out_of_turn", "bad_token",
  "unknown_conversation", "empty", "unavailable", "going_away",
];

type Fields = Record<string, unknown>;

/** The frame in `text`, or `null` if it is not one that this version knows. */
export function parseFrame(text: string): ServerFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isFields(value) ? readFrame(value) : null;
}

function readFrame(f: Fields): ServerFrame | null {
  switch (f.type) {
    case "welcome":
      return isText(f.conversation) && isSeq(f.seq)
        ? { type: "welcome", conversation: f.conversation, seq: f.seq }
        : null;
    case "ack":
      return isText(f.id) && isSeq(f.seq) ? { type: "ack", id: f.id, seq: f.seq } : null;
    case "typing":
      return typeof f.on === "boolean"
        ? { type: "typing", on: f.on, ...(isSeq(f.wait) && { wait: f.wait }) }
        : null;
    case "delta":
      return isText(f.turn) && isText(f.text) ? { type: "delta", turn: f.turn, text: f.text } : null;
    case "preview":
      return isText(f.turn) && isText(f.text)
        ? { type: "preview", turn: f.turn, text: f.text, sources: readSources(f.sources) }
        : null;
    case "message": {
      const message = readMessage(f);
      return message && { type: "message", ...message };
    }
    case "status":
      return isOneOf(STATES, f.state) ? { type: "status", state: f.state } : null;
    case "error":
      return readError(f);
    default:
      return null;
  }
}

/** A message as the server sends it or as this widget stored it; `null` if it is neither. */
export function readMessage(value: unknown): Message | null {
  if (!isFields(value)) return null;
  const { seq, author, text, at } = value;
  if (!isSeq(seq) || !isOneOf(AUTHORS, author) || !isText(text) || typeof at !== "number") return null;
  return {
    seq, author, text, at,
    sources: readSources(value.sources),
    actions: readActions(value.actions),
    ...(isText(value.turn) && { turn: value.turn }),
    ...(isText(value.id) && { id: value.id }),
  };
}

function readError(f: Fields): ServerFrame | null {
  if (!isOneOf(CODES, f.code)) return null;
  return {
    type: "error",
    code: f.code,
    message: isText(f.message) ? f.message : "",
    ...(typeof f.retry_after === "number" && f.retry_after >= 0 && { retryAfter: f.retry_after }),
  };
}

function readSources(value: unknown): Source[] {
  return list(value).flatMap((s) =>
    isText(s.id) && isText(s.title) ? [{ id: s.id, title: s.title, ...(isText(s.url) && { url: s.url }) }] : [],
  );
}

function readActions(value: unknown): QuickReply[] {
  return list(value).flatMap((a): QuickReply[] =>
    (a.kind === "say" || a.kind === "human") && isText(a.text)
      ? [{ kind: a.kind, text: a.text, ...(isText(a.id) && a.id !== "" && { id: a.id }) }]
      : [],
  );
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether `value` is one of `allowed`. */
export function isOneOf<T>(allowed: readonly T[], value: unknown): value is T {
  return (allowed as readonly unknown[]).includes(value);
}
