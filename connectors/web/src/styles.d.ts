/** Style sheets are bundled as their (minified) text. */
declare module "*.css" {
  const css: string;
  export default css;
}
