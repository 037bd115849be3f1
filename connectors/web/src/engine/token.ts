/** Reads who a customer token speaks of. The signature is the server's to check, not ours. */

/** The `sub` of a JWT, or `null` if there is none: then the token's bearer counts as anonymous here. */
export function subjectOf(token: string): string | null {
  const payload = token.split(".")[1];
  if (!payload) return null;
  try {
    const base64 = payload.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const sub = typeof claims === "object" && claims !== null && "sub" in claims ? claims.sub : null;
    return typeof sub === "string" && sub !== "" ? sub : null;
  } catch {
    return null;
  }
}
