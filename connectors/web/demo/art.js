// Product pictures, drawn: a quiet still life for each kind of product, on a ground of its own tone.

const DRAWINGS = {
  audio: '<path d="M62 108V88a38 38 0 0 1 76 0v20" fill="none" stroke="var(--a)" stroke-width="9" stroke-linecap="round"/><rect x="50" y="96" width="26" height="40" rx="12" fill="var(--b)"/><rect x="124" y="96" width="26" height="40" rx="12" fill="var(--b)"/>',
  camera: '<rect x="48" y="60" width="104" height="70" rx="14" fill="var(--a)"/><path d="M78 60l8-14h28l8 14z" fill="var(--a)"/><circle cx="100" cy="95" r="25" fill="var(--c)"/><circle cx="100" cy="95" r="16" fill="var(--b)"/><circle cx="137" cy="74" r="4" fill="var(--c)"/>',
  computer: '<rect x="52" y="42" width="96" height="66" rx="9" fill="var(--a)"/><rect x="60" y="50" width="80" height="50" rx="4" fill="var(--c)"/><path d="M36 118h128l-6 12H42z" fill="var(--b)"/>',
  phone: '<rect x="70" y="34" width="60" height="98" rx="13" fill="var(--a)"/><rect x="77" y="44" width="46" height="74" rx="6" fill="var(--c)"/><circle cx="100" cy="125" r="3" fill="var(--c)"/><circle cx="100" cy="78" r="13" fill="var(--b)"/>',
  mouse: '<rect x="68" y="40" width="64" height="94" rx="32" fill="var(--a)"/><path d="M100 40v38M68 78h64" stroke="var(--c)" stroke-width="4"/><rect x="96" y="54" width="8" height="16" rx="4" fill="var(--b)"/>',
  watch: '<rect x="84" y="28" width="32" height="110" rx="10" fill="var(--b)"/><circle cx="100" cy="83" r="33" fill="var(--a)"/><circle cx="100" cy="83" r="25" fill="var(--c)"/><path d="M100 68v15l10 7" fill="none" stroke="var(--a)" stroke-width="5" stroke-linecap="round"/>',
  kitchen: '<path d="M66 66h62l-6 62a10 10 0 0 1-10 9H82a10 10 0 0 1-10-9z" fill="var(--a)"/><path d="M128 76h10a14 14 0 0 1 0 30h-13" fill="none" stroke="var(--a)" stroke-width="8"/><path d="M82 54c-6-8 6-11 0-20M100 54c-6-8 6-11 0-20M118 54c-6-8 6-11 0-20" fill="none" stroke="var(--b)" stroke-width="5" stroke-linecap="round"/>',
  lamp: '<path d="M78 44h44l18 46H60z" fill="var(--a)"/><path d="M100 90v38" stroke="var(--b)" stroke-width="7"/><rect x="74" y="126" width="52" height="10" rx="5" fill="var(--b)"/><circle cx="100" cy="94" r="8" fill="var(--c)"/>',
  home: '<rect x="64" y="40" width="72" height="96" rx="8" fill="var(--a)"/><path d="M64 72h72M64 104h72" stroke="var(--c)" stroke-width="5"/><path d="M74 50v18M83 54v14M92 50v18M118 82v18M127 86v14" stroke="var(--b)" stroke-width="6"/><circle cx="88" cy="122" r="7" fill="var(--b)"/>',
  chair: '<rect x="70" y="38" width="60" height="52" rx="14" fill="var(--a)"/><rect x="62" y="86" width="76" height="16" rx="8" fill="var(--b)"/><path d="M100 102v20M78 136l22-14 22 14" fill="none" stroke="var(--a)" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>',
  clothing: '<path d="M76 44l-34 20 12 24 14-7v56h64V81l14 7 12-24-34-20c-6 12-42 12-48 0z" fill="var(--a)"/><path d="M76 44c6 12 42 12 48 0" fill="none" stroke="var(--b)" stroke-width="6"/>',
  shoes: '<path d="M42 76c16 10 26 4 36-8l40 32c12 8 40 4 42 22v4H42z" fill="var(--a)"/><rect x="40" y="122" width="122" height="11" rx="5.5" fill="var(--b)"/><path d="M84 80l10-8M96 90l10-8M108 99l9-8" stroke="var(--c)" stroke-width="5" stroke-linecap="round"/>',
  bag: '<path d="M60 68h80l8 62a8 8 0 0 1-8 8H60a8 8 0 0 1-8-8z" fill="var(--a)"/><path d="M80 78V60a20 20 0 0 1 40 0v18" fill="none" stroke="var(--b)" stroke-width="7" stroke-linecap="round"/>',
  sport: '<rect x="40" y="80" width="120" height="10" rx="5" fill="var(--c)"/><rect x="50" y="56" width="18" height="58" rx="8" fill="var(--a)"/><rect x="132" y="56" width="18" height="58" rx="8" fill="var(--a)"/><rect x="38" y="68" width="12" height="34" rx="6" fill="var(--b)"/><rect x="150" y="68" width="12" height="34" rx="6" fill="var(--b)"/>',
  garden: '<path d="M72 98h56l-7 38H79z" fill="var(--b)"/><path d="M100 98V62M100 80c-24 2-34-12-34-30 22 0 34 10 34 30zM100 70c0-18 10-30 32-32 2 20-10 34-32 32z" fill="var(--a)" stroke="var(--a)" stroke-width="3"/>',
  beauty: '<rect x="74" y="70" width="52" height="66" rx="12" fill="var(--a)"/><rect x="89" y="50" width="22" height="22" rx="4" fill="var(--b)"/><rect x="84" y="38" width="32" height="16" rx="5" fill="var(--a)"/><rect x="84" y="92" width="32" height="22" rx="4" fill="var(--c)"/>',
  glasses: '<circle cx="68" cy="90" r="26" fill="var(--a)"/><circle cx="132" cy="90" r="26" fill="var(--a)"/><path d="M94 86c4-5 8-5 12 0M42 82l-8-14M158 82l8-14" fill="none" stroke="var(--b)" stroke-width="6" stroke-linecap="round"/><path d="M56 84l14-10M120 84l14-10" stroke="var(--c)" stroke-width="4" stroke-linecap="round"/>',
  play: '<path d="M54 52h38c-5 16 21 16 16 0h38v38c-16-5-16 21 0 16v30H54V98c16 5 16-21 0-16z" fill="var(--a)"/><circle cx="124" cy="116" r="9" fill="var(--b)"/>',
  book: '<path d="M56 42h70a16 16 0 0 1 16 16v80H70a14 14 0 0 1-14-14z" fill="var(--a)"/><path d="M56 124a14 14 0 0 1 14-14h72" fill="none" stroke="var(--c)" stroke-width="6"/><rect x="76" y="60" width="46" height="8" rx="4" fill="var(--b)"/><rect x="76" y="76" width="30" height="8" rx="4" fill="var(--b)"/>',
  pan: '<circle cx="84" cy="90" r="42" fill="var(--a)"/><circle cx="84" cy="90" r="32" fill="var(--c)" opacity=".35"/><rect x="122" y="83" width="52" height="14" rx="7" fill="var(--b)"/><circle cx="166" cy="90" r="3.5" fill="var(--c)"/>',
  pot: '<path d="M66 70h68l6 56a10 10 0 0 1-10 10H70a10 10 0 0 1-10-10z" fill="var(--a)"/><path d="M134 84l24-18" stroke="var(--a)" stroke-width="10" stroke-linecap="round"/><path d="M62 116c-22-6-20-38 2-38" fill="none" stroke="var(--b)" stroke-width="7"/><rect x="72" y="60" width="56" height="10" rx="5" fill="var(--b)"/><circle cx="100" cy="54" r="6" fill="var(--b)"/>',
  knife: '<path d="M34 100c34-26 66-34 92-34v26H44z" fill="var(--a)"/><rect x="124" y="64" width="48" height="20" rx="8" fill="var(--b)"/><circle cx="138" cy="74" r="3" fill="var(--c)"/><circle cx="156" cy="74" r="3" fill="var(--c)"/>',
  board: '<rect x="44" y="54" width="96" height="72" rx="14" fill="var(--a)"/><rect x="136" y="80" width="34" height="20" rx="10" fill="var(--a)"/><circle cx="158" cy="90" r="4.5" fill="var(--c)"/><path d="M58 74h60M58 90h66M58 106h52" stroke="var(--b)" stroke-width="4" stroke-linecap="round" opacity=".6"/>',
  cloth: '<path d="M58 44h84v70l-12 8-10-8-10 8-10-8-10 8-10-8-10 8-12-8z" fill="var(--a)"/><path d="M58 62h84M58 74h84" stroke="var(--c)" stroke-width="5"/><path d="M74 44v70M126 44v70" stroke="var(--b)" stroke-width="4" opacity=".7"/>',
  bowl: '<path d="M42 72h116c0 36-24 60-58 60s-58-24-58-60z" fill="var(--a)"/><ellipse cx="100" cy="72" rx="58" ry="12" fill="var(--b)"/><rect x="80" y="128" width="40" height="8" rx="4" fill="var(--b)"/>',
  glass: '<path d="M64 44h34l-5 88a6 6 0 0 1-6 5H75a6 6 0 0 1-6-5z" fill="var(--a)" opacity=".85"/><path d="M66 80h30l-3 52a6 6 0 0 1-6 5H75a6 6 0 0 1-6-5z" fill="var(--b)"/><path d="M112 68h30l-4 64a6 6 0 0 1-6 5h-10a6 6 0 0 1-6-5z" fill="var(--a)" opacity=".6"/><path d="M74 54v16" stroke="var(--c)" stroke-width="4" stroke-linecap="round"/>',
  candle: '<rect x="70" y="66" width="22" height="72" rx="5" fill="var(--a)"/><rect x="108" y="82" width="22" height="56" rx="5" fill="var(--a)"/><path d="M81 34c12 14 8 26 0 26s-12-12 0-26zM119 52c11 13 7 24 0 24s-11-11 0-24z" fill="var(--b)"/><path d="M70 78c8 6 14-4 22 0" fill="none" stroke="var(--c)" stroke-width="4"/>',
  blanket: '<rect x="46" y="62" width="108" height="24" rx="12" fill="var(--a)"/><rect x="46" y="84" width="108" height="24" rx="12" fill="var(--b)"/><rect x="46" y="106" width="108" height="28" rx="12" fill="var(--a)"/><path d="M70 64v18M90 64v18M110 64v18M130 64v18M70 110v20M90 110v20M110 110v20M130 110v20" stroke="var(--c)" stroke-width="4"/>',
  pen: '<path d="M60 118l12-30 58-52 16 18-56 54z" fill="var(--a)"/><path d="M60 118l12-30 14 16z" fill="var(--b)"/><path d="M60 118l14-14" stroke="var(--c)" stroke-width="3"/><path d="M118 47l16 18" stroke="var(--c)" stroke-width="5"/><path d="M44 130c20-8 40 8 60 0" fill="none" stroke="var(--b)" stroke-width="4" stroke-linecap="round"/>',
  tool: '<path d="M92 40h16v40H92z" fill="var(--b)"/><rect x="88" y="32" width="24" height="34" rx="9" fill="var(--b)"/><path d="M76 80h48v24c0 20-12 32-24 36-12-4-24-16-24-36z" fill="var(--a)"/><path d="M100 86v44" stroke="var(--c)" stroke-width="4"/>',
  jar: '<rect x="68" y="62" width="64" height="76" rx="12" fill="var(--a)"/><rect x="74" y="44" width="52" height="18" rx="6" fill="var(--b)"/><rect x="78" y="82" width="44" height="34" rx="5" fill="var(--c)"/><path d="M88 94h24M88 104h16" stroke="var(--b)" stroke-width="4" stroke-linecap="round"/>',
  hat: '<path d="M54 104c0-40 20-62 46-62s46 22 46 62z" fill="var(--a)"/><rect x="48" y="100" width="104" height="26" rx="13" fill="var(--b)"/><path d="M72 102c2-28 12-46 28-58M128 102c-2-28-12-46-28-58M100 44v58" fill="none" stroke="var(--c)" stroke-width="4" opacity=".7"/>',
  scarf: '<path d="M70 44c20 14 40 14 60 0l8 22c-24 16-52 16-76 0z" fill="var(--a)"/><path d="M106 68l26-6 10 66h-28z" fill="var(--a)"/><path d="M110 98l28-4M113 114l28-4" stroke="var(--c)" stroke-width="5"/><path d="M116 128v10M124 128v10M132 128v10M140 127v10" stroke="var(--b)" stroke-width="4"/>',
  sock: '<path d="M84 36h36v54l24 20c12 10 4 28-12 28-10 0-18-4-26-10l-26-22c-4-4-4-8-4-14z" fill="var(--a)"/><path d="M84 44h36M84 56h36" stroke="var(--b)" stroke-width="6"/><path d="M112 122c6-10 14-14 26-14" fill="none" stroke="var(--c)" stroke-width="4"/>',
  card: '<rect x="44" y="52" width="112" height="76" rx="10" fill="var(--a)"/><path d="M44 92h112M84 52v76" stroke="var(--c)" stroke-width="6"/><path d="M84 92c-22-2-26-26-10-26 8 0 10 14 10 26zM84 92c22-2 26-26 10-26-8 0-10 14-10 26z" fill="var(--b)"/>',
  flask: '<rect x="74" y="58" width="52" height="80" rx="12" fill="var(--a)"/><rect x="80" y="36" width="40" height="24" rx="7" fill="var(--b)"/><path d="M74 84h52M74 116h52" stroke="var(--c)" stroke-width="5"/>',
  hammock: '<path d="M40 40v98M160 40v98" stroke="var(--b)" stroke-width="10" stroke-linecap="round"/><path d="M40 62c20 60 100 60 120 0-20 28-100 28-120 0z" fill="var(--a)"/><path d="M70 84v24M100 90v26M130 84v24" stroke="var(--c)" stroke-width="4"/>',
  can: '<path d="M66 76h56v52a8 8 0 0 1-8 8H74a8 8 0 0 1-8-8z" fill="var(--a)"/><path d="M122 104l34-36" stroke="var(--a)" stroke-width="9" stroke-linecap="round"/><path d="M146 58l18 18" stroke="var(--b)" stroke-width="9" stroke-linecap="round"/><path d="M70 76c0-34 48-34 48 0" fill="none" stroke="var(--b)" stroke-width="7"/>',
  stool: '<rect x="52" y="56" width="96" height="16" rx="8" fill="var(--a)"/><path d="M70 72l52 64M130 72l-52 64" stroke="var(--b)" stroke-width="8" stroke-linecap="round"/><path d="M86 116h28" stroke="var(--a)" stroke-width="6"/>',
  parcel: '<path d="M50 66l50-24 50 24v52l-50 24-50-24z" fill="var(--a)"/><path d="M50 66l50 24 50-24M100 90v52" fill="none" stroke="var(--c)" stroke-width="5"/><path d="M75 54l50 24v18" fill="none" stroke="var(--b)" stroke-width="6"/>',
};

// The first row with a matching word decides, so the narrower kinds come first.
const WORDS = [
  ["pan", /skillet|pan\b|scrubber|锅/],
  ["pot", /coffee pot|kettle|teapot|水壶/],
  ["flask", /flask|thermos|保温/],
  ["hammock", /hammock|吊床/],
  ["stool", /stool|凳/],
  ["can", /watering can|喷壶|浇水/],
  ["tool", /trowel|secateurs|spade|铲|剪/],
  ["knife", /knife|knives|刀/],
  ["lamp", /lamp|lantern|\blights?\b|bulb|灯/],
  ["candle", /candle|蜡烛/],
  ["jar", /\bink\b|\bwax\b|\boil\b|wash\b|dressing|\d ml|墨水|蜡/],
  ["board", /board\b|砧板/],
  ["bowl", /bowl|碗/],
  ["glass", /glass\b|carafe|tumbler|杯/],
  ["card", /gift|card|engraving|礼/],
  ["blanket", /blanket|rug\b|cushion|doormat|毯|垫/],
  ["cloth", /towel|wrap|napkin|毛巾|布/],
  ["pen", /\bpens?\b|pencil|darning|笔/],
  ["hat", /\bcap\b|\bhat\b|帽/],
  ["scarf", /scarf|围巾/],
  ["sock", /sock|slipper|袜/],
  ["glasses", /sunglass|eyewear|眼镜/],
  ["watch", /\bwatch\b(?! cap)|smartwatch|thermostat|clock|手表|钟/],
  ["audio", /headphone|earbud|speaker|audio|耳机|音箱/],
  ["camera", /camera|projector|相机|摄像/],
  ["phone", /phone|tablet|reader|charger|手机|平板/],
  ["mouse", /mouse|鼠标/],
  ["computer", /laptop|keyboard|computer|monitor|电脑|键盘/],
  ["kitchen", /kettle|coffee|espresso|grill|bottle|mug|kitchen|appliance|水壶|咖啡|厨/],
  ["chair", /chair|sofa|pet bed|椅/],
  ["home", /shelf|vacuum|furniture|home|家具|书架/],
  ["shoes", /shoe|boot|sneaker|footwear|鞋/],
  ["bag", /bag|tote|rucksack|backpack|luggage|suitcase|包|箱/],
  ["clothing", /shirt|jacket|jumper|fleece|cloth|apparel|wear|衣|夹克/],
  ["sport", /dumbbell|yoga|skate|helmet|cycl|sport|fitness|outdoor|运动/],
  ["garden", /garden|hose|patio|plant|seed|花园/],
  ["beauty", /perfume|makeup|toothbrush|beauty|care|香水|化妆/],
  ["play", /puzzle|toy|game|玩具|拼图/],
  ["book", /book|notebook|desk pad|stationery|书|笔记/],
  ["audio", /electronic|电子/],
];

/** Ground, then the three tones of the drawing. */
const TONES = [
  ["#e9f0ec", "#2f7a66", "#e0a458", "#f7faf8"],
  ["#f6ece4", "#c2694a", "#3f5a6b", "#fdf6f0"],
  ["#e8edf5", "#44639a", "#e4a4a0", "#f7f9fd"],
  ["#f4f0e0", "#a8842c", "#4d7466", "#fcfaf0"],
  ["#f3e8ee", "#97527a", "#5f7fa3", "#fcf5f9"],
];

/** The picture of a product: an SVG element, the same one for the same product every time. */
export function productArt({ id, name, category }) {
  const words = [name, category].map((text) => String(text).toLowerCase());
  const kind = words.map((text) => WORDS.find(([, pattern]) => pattern.test(text))?.[0]).find(Boolean) ?? "parcel";
  const sum = [...String(id) + name].reduce((total, letter) => (total * 31 + letter.codePointAt(0)) % 9973, 7);
  const [ground, a, b, c] = TONES[sum % TONES.length];
  const svg = new DOMParser().parseFromString(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 150"><rect width="200" height="150" fill="${ground}"/><ellipse cx="100" cy="139" rx="62" ry="5" fill="#000" opacity=".07"/>${DRAWINGS[kind]}</svg>`,
    "image/svg+xml",
  ).documentElement;
  for (const [tone, value] of Object.entries({ a, b, c })) svg.style.setProperty(`--${tone}`, value);
  svg.setAttribute("class", "art");
  svg.setAttribute("preserveAspectRatio", "xMidYMid slice");
  svg.setAttribute("aria-hidden", "true");
  return document.importNode(svg, true);
}
