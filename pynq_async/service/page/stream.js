// Server-sent events. By fetch, because EventSource cannot send a token; connected again, with growing pauses.

import { address, headers, refused } from "./api.js";
import * as session from "./session.js";

const PAUSES = [0.3, 1, 2, 4, 8, 15];
const SILENCE = 40; // seconds; the service says something every 15

/**
 * Watch what happens until the returned function is called.
 *
 * `onEvent(kind, data)` is called for each event, `onState(state, why)` with "live" or "lost".
 */
export function watch(onEvent, onState) {
  const over = new AbortController();
  run(onEvent, onState, over.signal);
  return () => over.abort();
}

async function run(onEvent, onState, over) {
  for (let failures = 0; !over.aborted; failures += 1) {
    try {
      await connect(over, (kind, data) => {
        if (kind === "boards") {
          failures = 0;
          onState("live", "");
        }

        onEvent(kind, data);
      });
    } catch {
      // told by the state
    }

    if (over.aborted || session.token() === null) {
      return;
    }

    onState("lost", "Connection lost; trying again.");
    await pause(PAUSES[Math.min(failures, PAUSES.length - 1)], over);
  }
}

async function connect(over, onEvent) {
  const used = session.token();
  const cut = new AbortController();
  const stop = () => cut.abort();
  over.addEventListener("abort", stop);
  let silence = setTimeout(stop, SILENCE * 1000);

  try {
    const response = await fetch(address("events"), { headers: headers(), signal: cut.signal, cache: "no-store" });

    if (!response.ok) {
      throw refused(response.status, await response.text(), used);
    }

    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";

    for (;;) {
      const { value, done } = await reader.read();

      if (done) {
        return;
      }

      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE * 1000);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      blocks.forEach((block) => tell(block, onEvent));
    }
  } finally {
    clearTimeout(silence);
    over.removeEventListener("abort", stop);
    cut.abort();
  }
}

function tell(block, onEvent) {
  let kind = "";
  let data = "";

  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) {
      kind = line.slice(7);
    } else if (line.startsWith("data: ")) {
      data += line.slice(6);
    }
  }

  if (kind) {
    onEvent(kind, JSON.parse(data));
  }
}

/** Wait so many seconds, some more by chance; less when the machine is on the network again. */
function pause(seconds, over) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, seconds * 1000 * (1 + Math.random() / 4));
    addEventListener("online", done);
    over.addEventListener("abort", done);

    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      over.removeEventListener("abort", done);
      resolve();
    }
  });
}
