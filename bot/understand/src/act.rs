//! Labels of the head [`ACTS`](crate::ACTS): what a message does in a dialogue.

/// It cannot be understood without what was said before.
pub const FOLLOWS: &str = "follows";
/// It asks what was asked before, of something else.
pub const SAME_AGAIN: &str = "same_again";
/// It wishes for something to buy or to choose.
pub const WISH: &str = "wish";
/// It asks what it is talking to.
pub const ABOUT_BOT: &str = "about_bot";
/// It says that the last answer did not help.
pub const UNHELPED: &str = "unhelped";
/// It says yes to what the bot has asked.
pub const YES: &str = "yes";
/// It says no to that.
pub const NO: &str = "no";
/// It asks what yes or no answers.
pub const ASKS_YES_NO: &str = "asks_yes_no";
/// It asks several things.
pub const SEVERAL: &str = "several";
/// It asks what would happen, or for a rule in a supposed case.
pub const HYPOTHETICAL: &str = "hypothetical";
/// It wants the bot to drop its instructions, to tell them, or to play another part.
pub const ATTACK: &str = "attack";
