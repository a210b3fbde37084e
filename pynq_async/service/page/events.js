// What has happened: a list for the eyes, and a sentence now and then for screen readers.

import { by, icon, make, say } from "./dom.js";
import { clock, reasonOf, several } from "./words.js";

const KEPT = 60;
const PAUSE = 1500; // milliseconds between two sentences, so that nobody is talked down

let waiting = [];
let speaking = 0;

/** Note an event of the stream. */
export function note(kind, data) {
  const words = WORDS[kind]?.(data);

  if (!words) {
    return;
  }

  const [sign, text] = words;
  const time = make("time", { dateTime: new Date(data.time * 1000).toISOString() }, clock(data.time));
  by("event-list").prepend(make("li", {}, time, icon(sign), make("span", {}, make("b", {}, data.board), ` ${text}`)));
  by("no-events").hidden = true;

  if (by("event-list").children.length > KEPT) {
    by("event-list").lastChild.remove();
  }

  if (kind !== "leased" && kind !== "returned") {
    announce(`${data.board} ${text}`);
  }
}

/** Say a sentence to screen readers; many at once are summed up. */
export function announce(sentence) {
  waiting.push(sentence);
  speaking ||= setTimeout(speak, 100);
}

/** Forget what has happened. */
export function clear() {
  by("event-list").replaceChildren();
  by("no-events").hidden = false;
  waiting = [];
}

function speak() {
  if (!waiting.length) {
    speaking = 0;
    return;
  }

  say(by("said"), waiting.length > 3 ? `${several(waiting.length, "event")}; last: ${waiting.at(-1)}` : waiting.join(". "));
  waiting = [];
  speaking = setTimeout(speak, PAUSE);
}

const WORDS = {
  joined: (data) => ["done", data.again ? "is back" : "has joined"],
  lost: (data) => ["absent", `is lost: ${reasonOf(data)}`],
  leased: (data) => ["leased", `was leased by ${data.by}`],
  returned: (data) => ["free", data.forgotten.length ? `was given back; ${several(data.forgotten.length, "buffer")} freed` : "was given back"],
  loaded: (data) => ["done", `has ${data.name} loaded`],
  not_loaded: (data) => ["failed", `was not loaded: ${reasonOf(data)}`],
};
