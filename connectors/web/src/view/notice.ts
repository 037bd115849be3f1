/** The one line under the header that says what is the matter, if anything is. */

import type { Snapshot } from "../engine/session.js";
import type { Strings } from "../i18n.js";

/** A line of news; `trouble` stands out, `patience` is shown only when it lasts. */
export interface Notice {
  readonly text: string;
  readonly tone: "calm" | "patience" | "trouble";
}

/** The most important thing to say about `snapshot`; `wasOnline` tells a lost connection from a first one. */
export function noticeOf(snapshot: Snapshot, wasOnline: boolean, strings: Strings): Notice | null {
  if (snapshot.signedOut) return { text: strings.signedOut, tone: "trouble" };
  if (snapshot.phase === "waiting" || snapshot.phase === "connecting") {
    return { text: wasOnline ? strings.reconnecting : strings.connecting, tone: "patience" };
  }
  if (snapshot.hold && snapshot.outbox.length > 0) {
    return { text: snapshot.hold.reason === "too_fast" ? strings.tooFast : strings.unavailable, tone: "calm" };
  }
  return snapshot.state === "human" ? { text: strings.withPerson, tone: "calm" } : null;
}
