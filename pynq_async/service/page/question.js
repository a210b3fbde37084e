// A question below what it is about, answered by a second click or called off with Escape.

import { make } from "./dom.js";

const open = new Map();

/**
 * Ask in a place; gives whether the answer was yes. A question that stood there is called off.
 *
 * `words` stand before `fields`, `yes` is on the button that agrees; the focus goes back to where it was.
 */
export function ask(place, words, yes, { no = "Cancel", fields = [] } = {}) {
  callOff(place);
  const before = document.activeElement;

  return new Promise((resolve) => {
    const agree = make("button", { type: "button", className: "main", onclick: () => answer(true) }, yes);
    const cancel = make("button", { type: "button", onclick: () => answer(false) }, no);
    const parts = [make("p", {}, words), ...fields, agree, cancel];
    const group = make("div", { className: "row question", role: "group", "aria-label": words }, ...parts);
    group.addEventListener("keydown", (event) => event.key === "Escape" && answer(false));
    open.set(place, answer);
    place.replaceChildren(group);
    (fields[0] ?? agree).focus();

    function answer(given) {
      const within = group.contains(document.activeElement);
      open.delete(place);
      group.remove();
      resolve(given);

      if (within && before?.isConnected) {
        before.focus();
      }
    }
  });
}

/** Let a question that stands in a place be answered with no. */
export function callOff(place) {
  open.get(place)?.(false);
}
