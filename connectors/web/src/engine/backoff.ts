/** How long to wait before connecting again: doubling, capped, and spread out by chance. */

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/**
 * Milliseconds to wait before attempt number `attempt` (from 0); `random` is in `[0, 1)`.
 *
 * Half of it is fixed and half is chance: when a server restarts, its thousand widgets come back
 * over a span of time and not in one instant.
 */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (ceiling / 2) * random;
}
