// Bundles the widget into dist/frontdesk.js, copies the demo page beside it and prints the size.
// dist/ is served at the root of the Frontdesk server.

import { build, transform } from "esbuild";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");
const MOST_BYTES = 30 * 1024;

/** Imports a style sheet as its minified text. */
export const cssAsText = {
  name: "css-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await build({
  entryPoints: [join(root, "src/main.ts")],
  outfile: join(dist, "frontdesk.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii", // a page that names no encoding must not garble the Chinese
  plugins: [cssAsText],
  logLevel: "warning",
});
await cp(join(root, "demo"), dist, { recursive: true });

const script = await readFile(join(dist, "frontdesk.js"));
const packed = gzipSync(script, { level: 9 }).length;
console.log(`dist/frontdesk.js: ${script.length} bytes, ${packed} gzipped (at most ${MOST_BYTES})`);
if (packed > MOST_BYTES) {
  console.error("The widget has grown too big: pages must not wait for it. Make it smaller.");
  process.exitCode = 1;
}
