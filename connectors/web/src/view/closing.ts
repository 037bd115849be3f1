/** The end of a conversation: asking whether to end it, the rating, and beginning anew. */

import type { Strings } from "../i18n.js";
import { h, icon } from "./dom.js";

/** "End this conversation?", in the composer's place. */
export function endQuestion(strings: Strings, confirm: () => void, cancel: () => void): HTMLElement {
  return h(
    "div",
    { class: "closing", role: "group", "aria-label": strings.endQuestion },
    h("p", { class: "question" }, strings.endQuestion),
    h(
      "div",
      { class: "choices" },
      h("button", { type: "button", class: "quiet", on: { click: cancel } }, strings.endCancel),
      h("button", { type: "button", class: "strong", on: { click: confirm } }, strings.endConfirm),
    ),
  );
}

/** What the closed conversation's card asks of the chat. */
export interface ClosedContext {
  readonly strings: Strings;
  rate(score: number, comment: string): void;
  startOver(): void;
}

/** The card under a conversation that has ended: rating, or thanks for it, and a fresh start. */
export function closedCard(rated: boolean, context: ClosedContext): HTMLElement {
  const { strings } = context;
  return h(
    "div",
    { class: "closing" },
    h("p", { class: "ended" }, strings.closed),
    rated ? h("p", { class: "question", role: "status" }, strings.thanks) : ratingForm(context),
    h(
      "button",
      { type: "button", class: rated ? "strong wide" : "quiet wide", on: { click: () => context.startOver() } },
      strings.startNew,
    ),
  );
}

function ratingForm({ strings, rate }: ClosedContext): HTMLElement {
  let score = 0;
  const word = h("span", { class: "score", "aria-hidden": "true" });
  const comment = h("textarea", { rows: 2, maxlength: 1000, dir: "auto", "aria-label": strings.commentLabel, placeholder: strings.commentLabel });
  const details = h("div", { class: "details", hidden: true }, comment, h("button", { type: "submit", class: "strong wide" }, strings.sendRating));
  const choose = (chosen: number) => {
    score = chosen;
    word.textContent = strings.ratingLabel(chosen);
    details.hidden = false;
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (score > 0) rate(score, comment.value);
  };
  return h(
    "form",
    { class: "rating", on: { submit } },
    h("p", { class: "question", id: "rate-question" }, strings.rateQuestion),
    h("div", { class: "stars", role: "radiogroup", "aria-labelledby": "rate-question" }, ...stars(strings, choose)),
    word,
    details,
  );
}

/** Real radio buttons under the stars: arrow keys and screen readers know them. */
function stars(strings: Strings, choose: (score: number) => void): HTMLElement[] {
  return [1, 2, 3, 4, 5].map((score) =>
    h(
      "label",
      { title: strings.ratingLabel(score) },
      h("input", { type: "radio", name: "score", value: score, on: { change: () => choose(score) } }),
      icon("star"),
      h("span", { class: "unseen" }, `${score}: ${strings.ratingLabel(score)}`),
    ),
  );
}
