/** From the company's one colour to the shades that keep text readable on it and in it (WCAG AA). */

type Rgb = readonly [number, number, number];

/** What the styles need; each a CSS colour. */
export interface Palette {
  /** Buttons and the customer's bubbles. */
  readonly accent: string;
  /** Text on `accent`. */
  readonly onAccent: string;
  /** The accent as text on a light surface. */
  readonly inkLight: string;
  /** The accent as text on a dark surface. */
  readonly inkDark: string;
}

const WHITE: Rgb = [255, 255, 255];
const NEAR_BLACK: Rgb = [17, 20, 28];
/** The least favourable surfaces that accent text stands on; `styles/tokens.css` has the same. */
const LIGHT_SURFACE: Rgb = [241, 243, 246];
const DARK_SURFACE: Rgb = [40, 44, 54];
const AA_TEXT = 4.5;

/** The palette of `color`, a hex colour (`#36c` or `#3366cc`); `null` for anything else. */
export function paletteOf(color: string): Palette | null {
  const accent = parseHex(color);
  if (!accent) return null;
  const onAccent = contrast(accent, WHITE) >= AA_TEXT ? WHITE : NEAR_BLACK;
  // A middling colour may be too dark for black and too light for white: then it gives way itself.
  const legible = towards(accent, onAccent === WHITE ? NEAR_BLACK : WHITE, onAccent);
  return {
    accent: css(legible),
    onAccent: css(onAccent),
    inkLight: css(towards(accent, NEAR_BLACK, LIGHT_SURFACE)),
    inkDark: css(towards(accent, WHITE, DARK_SURFACE)),
  };
}

/** The contrast ratio of two colours, 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** `#rgb` or `#rrggbb` as numbers. */
export function parseHex(color: string): Rgb | null {
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(color.trim())?.[1];
  if (!digits) return null;
  const wide = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const value = Number.parseInt(wide, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** `color`, moved towards `goal` until it can be read against `against`. */
function towards(color: Rgb, goal: Rgb, against: Rgb): Rgb {
  for (let share = 0; share <= 1; share += 0.05) {
    const mixed = color.map((channel, i) => Math.round(channel + ((goal[i] ?? 0) - channel) * share));
    const candidate = mixed as unknown as Rgb;
    if (contrast(candidate, against) >= AA_TEXT) return candidate;
  }
  return goal;
}

function luminance(color: Rgb): number {
  const [r, g, b] = color.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function css(color: Rgb): string {
  return `#${color.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}
