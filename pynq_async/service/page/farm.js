// What is known of the boards: a list to begin with, then what happens. No element is touched here.

import { ask } from "./api.js";

export const STATES = ["free", "leased", "absent", "elsewhere"];
const ASK_AGAIN = 400; // milliseconds

/** The boards by name, and what each is doing; listeners are told which have changed. */
export class Farm {
  boards = new Map();
  #samples = new Map();
  #listeners = new Set();
  #asking = null;

  /** Call `listener(names)` whenever boards have changed. */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  /** How many boards there are in each state. */
  counts() {
    const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
    this.boards.forEach((board) => (counts[board.state] += 1));
    return counts;
  }

  /** Take in an event of the stream. */
  apply(kind, data) {
    const board = this.boards.get(data.board);

    switch (kind) {
      case "boards":
        this.#all(data.boards);
        break;
      case "samples":
        this.#sampled(data);
        break;
      case "lost":
        this.#set(board, { state: "absent", reason: data.reason, since: data.time, step: null, rates: null });
        break;
      case "joined":
        this.#set(board, { state: board?.holder ? "leased" : "free", reason: "", since: data.time });
        this.#askAgain(); // its model may be known only now
        break;
      case "leased":
        this.#set(board, { state: "leased", holder: data.by, since: data.time });
        break;
      case "returned":
        this.#set(board, { state: board?.state === "absent" ? "absent" : "free", holder: null, since: data.time });
        break;
      case "progress":
        this.#set(board, { step: data.stage === "done" ? null : data });
        break;
      case "loaded":
        this.#set(board, { design: data.name, digest: data.digest, step: null });
        this.#askAgain(); // a partial bitstream leaves the design as it is
        break;
      case "not_loaded":
        this.#set(board, { step: null });
        this.#askAgain();
        break;
    }
  }

  /** Forget everything. */
  clear() {
    clearTimeout(this.#asking);
    this.#samples.clear();
    this.#all([]);
  }

  #all(list) {
    const names = new Set(list.map((board) => board.name));

    for (const name of this.boards.keys()) {
      if (!names.has(name)) {
        names.add(name);
        this.boards.delete(name);
      }
    }

    for (const board of list) {
      const before = this.boards.get(board.name);
      this.boards.set(board.name, { step: before?.step ?? null, rates: before?.rates ?? null, ...board });
    }

    this.#tell(names);
  }

  #set(board, change) {
    if (board) {
      Object.assign(board, change);
      this.#tell([board.name]);
    }
  }

  #sampled({ time, boards }) {
    for (const [name, now] of Object.entries(boards)) {
      const board = this.boards.get(name);
      const before = this.#samples.get(name);
      this.#samples.set(name, { ...now, time });

      if (board) {
        board.temperature = now.temperature;
        board.rates = rates(before, now, time);
      }
    }

    this.#tell(Object.keys(boards));
  }

  #askAgain() {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(async () => {
      try {
        this.#all(await ask("GET", "boards"));
      } catch {
        // the stream says so when the service is gone
      }
    }, ASK_AGAIN);
  }

  #tell(names) {
    this.#listeners.forEach((listener) => listener(names));
  }
}

/** Bytes a second to and from a board, between two samples of its traffic. */
function rates(before, now, time) {
  const seconds = before ? time - before.time : 0;

  if (seconds <= 0 || now.sent < before.sent || now.received < before.received) {
    return null;
  }

  return { sent: (now.sent - before.sent) / seconds, received: (now.received - before.received) / seconds };
}
