// The token: from the address or the form, kept in this tab only, gone when it is refused.

const KEY = "pynq-async token";
const listeners = new Set();

/** Who the token is of, and what it is good for: read, use or admin. */
export const user = { name: "", scope: "read", limits: {} };

/** Whether the service is heard now. */
export const link = { live: false };

/** Whether the token may do more than look. */
export const mayUse = () => user.scope !== "read";

/** Why nothing can be done now, empty when it can. */
export function hindrance() {
  if (!link.live) {
    return "There is no connection to the service.";
  }

  return mayUse() ? "" : "Your token may only look; this needs one with the scope use.";
}

/** The token that is used now, or null. */
export function token() {
  return sessionStorage.getItem(KEY);
}

/** Whether it can be one at all: nothing else may stand in a header. */
export function isToken() {
  return /^[\x21-\x7e]+$/.test(token());
}

/** Take a token from `#token=...` in the address, and out of the address bar; gives whether there was one. */
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");

  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search);
  }

  if (given) {
    sessionStorage.setItem(KEY, given.trim());
  }

  return Boolean(given);
}

/** Use a token from now on. */
export function begin(secret) {
  sessionStorage.setItem(KEY, secret.trim());
}

/** Forget the token; `reason` says why it was not good, if it was not. */
export function end(reason = "") {
  if (token() !== null) {
    sessionStorage.removeItem(KEY);
    listeners.forEach((listener) => listener(reason));
  }
}

/** Be told when the token is not used any more. */
export function onEnd(listener) {
  listeners.add(listener);
}
