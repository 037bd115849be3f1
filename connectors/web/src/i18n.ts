/** The widget's own words, and the choice of their language. */

/** A language that the interface speaks. */
export type Language = "en" | "zh" | "de";

const english = {
  title: "Chat with us",
  openChat: "Open chat",
  openChatUnread: (count: number) => (count === 1 ? "Open chat, 1 unread message" : `Open chat, ${count} unread messages`),
  closeChat: "Close chat",
  assistantLabel: "AI assistant",
  personLabel: "Our team",
  assistant: "Assistant",
  person: "Our team",
  you: "You",
  intro: "You are chatting with an AI assistant. It can make mistakes – you can ask for a person at any time.",
  menu: "More options",
  talkToPerson: "Talk to a person",
  endChat: "End chat",
  conversation: "Conversation",
  composerLabel: "Your message",
  composerHint: "Write a message…",
  send: "Send message",
  charactersLeft: (left: number) => (left >= 0 ? `${left} characters left` : `${-left} characters too many`),
  sending: "Sending…",
  sent: "Sent",
  delayed: "Not sent yet.",
  rejected: "Not sent.",
  retry: "Try again",
  isTyping: "Writing a reply…",
  waitAbout: (seconds: number) => `We’re busy: about ${seconds} s until your reply`,
  personIsTyping: "Someone is writing…",
  fromHelpPages: "From our help pages",
  from: "From:",
  newTab: "opens in a new tab",
  newMessages: "New messages",
  connecting: "Connecting…",
  reconnecting: "Connection lost. Reconnecting…",
  signedOut: "Your sign-in has expired. Please sign in again.",
  withPerson: "You’re now talking to our team. Replies may take a little longer.",
  tooFast: "One moment – your message will be sent in a few seconds.",
  unavailable: "We’re very busy right now. Your message will be sent shortly.",
  endQuestion: "End this conversation?",
  endConfirm: "End chat",
  endCancel: "Keep chatting",
  closed: "This conversation has ended.",
  rateQuestion: "How was this chat?",
  ratingLabel: (score: number) => ["Very poor", "Poor", "Okay", "Good", "Excellent"][score - 1] ?? "",
  commentLabel: "Anything you’d like to add? (optional)",
  sendRating: "Send feedback",
  thanks: "Thank you for your feedback!",
  startNew: "Start a new chat",
  today: "Today",
  yesterday: "Yesterday",
};

/** The words of one language. */
export type Strings = typeof english;

const chinese: Strings = {
  title: "在线咨询",
  openChat: "打开聊天",
  openChatUnread: (count) => `打开聊天，${count} 条未读消息`,
  closeChat: "关闭聊天",
  assistantLabel: "AI 助手",
  personLabel: "人工客服",
  assistant: "智能助手",
  person: "人工客服",
  you: "您",
  intro: "您正在与 AI 助手对话，它可能会出错。\n您可以随时要求转接人工客服。",
  menu: "更多选项",
  talkToPerson: "转人工客服",
  endChat: "结束对话",
  conversation: "对话内容",
  composerLabel: "您的消息",
  composerHint: "请输入消息…",
  send: "发送消息",
  charactersLeft: (left) => (left >= 0 ? `还可输入 ${left} 字` : `超出 ${-left} 字`),
  sending: "发送中…",
  sent: "已发送",
  delayed: "尚未发送。",
  rejected: "未能发送。",
  retry: "重试",
  isTyping: "正在回复…",
  waitAbout: (seconds) => `当前咨询较多，约 ${seconds} 秒后回复`,
  personIsTyping: "对方正在输入…",
  fromHelpPages: "来自帮助中心",
  from: "来源：",
  newTab: "在新标签页中打开",
  newMessages: "有新消息",
  connecting: "正在连接…",
  reconnecting: "连接已断开，正在重新连接…",
  signedOut: "登录已过期，请重新登录。",
  withPerson: "已为您转接人工客服，回复可能需要稍等片刻。",
  tooFast: "请稍候，您的消息将在几秒后发送。",
  unavailable: "当前咨询较多，您的消息稍后会自动发送。",
  endQuestion: "要结束本次对话吗？",
  endConfirm: "结束对话",
  endCancel: "继续咨询",
  closed: "本次对话已结束。",
  rateQuestion: "您对本次服务满意吗？",
  ratingLabel: (score) => ["非常不满意", "不满意", "一般", "满意", "非常满意"][score - 1] ?? "",
  commentLabel: "还有什么想告诉我们的吗？（选填）",
  sendRating: "提交评价",
  thanks: "感谢您的评价！",
  startNew: "开始新的对话",
  today: "今天",
  yesterday: "昨天",
};

const german: Strings = {
  title: "Chat mit uns",
  openChat: "Chat öffnen",
  openChatUnread: (count) => (count === 1 ? "Chat öffnen, 1 ungelesene Nachricht" : `Chat öffnen, ${count} ungelesene Nachrichten`),
  closeChat: "Chat schließen",
  assistantLabel: "KI-Assistent",
  personLabel: "Unser Team",
  assistant: "Assistent",
  person: "Unser Team",
  you: "Sie",
  intro: "Sie schreiben mit einem KI-Assistenten. Er kann sich irren – Sie können jederzeit nach einem Menschen fragen.",
  menu: "Weitere Möglichkeiten",
  talkToPerson: "Mit einem Menschen sprechen",
  endChat: "Chat beenden",
  conversation: "Gespräch",
  composerLabel: "Ihre Nachricht",
  composerHint: "Nachricht schreiben …",
  send: "Nachricht senden",
  charactersLeft: (left) => (left >= 0 ? `noch ${left} Zeichen` : `${-left} Zeichen zu viel`),
  sending: "Wird gesendet …",
  sent: "Gesendet",
  delayed: "Noch nicht gesendet.",
  rejected: "Nicht gesendet.",
  retry: "Noch einmal versuchen",
  isTyping: "Antwortet …",
  waitAbout: (seconds) => `Gerade ist viel los: Antwort in etwa ${seconds} s`,
  personIsTyping: "Jemand schreibt …",
  fromHelpPages: "Aus unseren Hilfeseiten",
  from: "Aus:",
  newTab: "öffnet einen neuen Tab",
  newMessages: "Neue Nachrichten",
  connecting: "Verbindung wird aufgebaut …",
  reconnecting: "Verbindung verloren. Neuer Versuch …",
  signedOut: "Ihre Anmeldung ist abgelaufen. Bitte melden Sie sich erneut an.",
  withPerson: "Sie schreiben jetzt mit unserem Team. Antworten können etwas länger dauern.",
  tooFast: "Einen Moment – Ihre Nachricht wird in wenigen Sekunden gesendet.",
  unavailable: "Gerade ist sehr viel los. Ihre Nachricht wird gleich gesendet.",
  endQuestion: "Dieses Gespräch beenden?",
  endConfirm: "Chat beenden",
  endCancel: "Weiter chatten",
  closed: "Dieses Gespräch ist beendet.",
  rateQuestion: "Wie war dieser Chat?",
  ratingLabel: (score) => ["Sehr schlecht", "Schlecht", "In Ordnung", "Gut", "Sehr gut"][score - 1] ?? "",
  commentLabel: "Möchten Sie noch etwas hinzufügen? (freiwillig)",
  sendRating: "Bewertung senden",
  thanks: "Vielen Dank für Ihre Bewertung!",
  startNew: "Neuen Chat beginnen",
  today: "Heute",
  yesterday: "Gestern",
};

const STRINGS: Record<Language, Strings> = { en: english, zh: chinese, de: german };

/** The words of `language`. */
export function stringsOf(language: Language): Strings {
  return STRINGS[language];
}

/** What may name a language, first to last; empty and missing ones are passed over. */
export interface LanguageHints {
  /** The attribute `data-language`; `auto` says nothing. */
  readonly asked: string | null;
  /** The page's `lang`. */
  readonly page: string;
  /** The browser's languages. */
  readonly browser: readonly string[];
}

/** The BCP 47 tag to tell the server: the first one that the hints name. */
export function languageTag(hints: LanguageHints): string {
  const asked = hints.asked === "auto" ? "" : (hints.asked ?? "");
  return [asked, hints.page, ...hints.browser].map((tag) => tag.trim()).find((tag) => tag !== "") ?? "en";
}

/** The interface language for a BCP 47 tag: English for every language that we do not speak. */
export function interfaceLanguage(tag: string): Language {
  const primary = tag.toLowerCase().split(/[-_]/)[0] ?? "";
  return Object.hasOwn(STRINGS, primary) ? (primary as Language) : "en";
}

/** The heading of a day's messages; `now` and `at` in milliseconds. */
export function dayLabel(at: number, now: number, language: Language): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / 86_400_000);
  if (days === 0) return STRINGS[language].today;
  if (days === 1) return STRINGS[language].yesterday;
  const thisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const format: Intl.DateTimeFormatOptions = { weekday: "short", day: "numeric", month: "long" };
  return new Intl.DateTimeFormat(language, thisYear ? format : { ...format, year: "numeric" }).format(at);
}

/** The time of day, as people of that language write it. */
export function timeLabel(at: number, language: Language): string {
  return new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(at);
}

/** Midnight before `at`, local time; for comparing days and as a day's identity. */
export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
