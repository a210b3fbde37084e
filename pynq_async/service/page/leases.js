// The leases of whoever is signed in: time left, renew, end.

import { ask } from "./api.js";
import { allow, by, make, mark, say } from "./dom.js";
import { hindrance, link, user } from "./session.js";
import { left } from "./words.js";

const SOON = 60; // seconds

/** My leases by id; `onChange` is called when they are others. */
export class Leases {
  #leases = new Map();
  #items = new Map();
  #asking = null;

  constructor({ onChange }) {
    this.onChange = onChange;
    setInterval(() => this.#count(), 1000);
  }

  /** My lease of a board, or undefined. */
  of(board) {
    return [...this.#leases.values()].find((lease) => lease.boards.includes(board));
  }

  /** Lease a board, waiting up to so many seconds for it; for how long is the service's choice unless it is told. */
  async take(board, wait, seconds) {
    const lease = await ask("POST", "leases", { json: { name: board, wait, seconds } });
    this.#add(lease);
    this.#show();
    return lease;
  }

  /** Let a lease last for so many seconds from now on, or for what is left of it where that is more. */
  async renew(lease, seconds) {
    const remaining = (this.#leases.get(lease.id)?.ends - performance.now()) / 1000 || 0;
    this.#add(await ask("POST", `${path(lease)}/renew`, { json: { seconds: Math.max(seconds, remaining) } }));
    this.#count();
  }

  /** Say what went wrong. */
  complain(words) {
    say(by("lease-problem"), words);
  }

  /** Show what can be done now. */
  refresh() {
    for (const button of by("lease-list").querySelectorAll("button")) {
      allow(button, hindrance());
    }

    this.#count();
  }

  /** Give the boards of a lease back. */
  async end(lease) {
    try {
      await ask("DELETE", path(lease));
    } catch (problem) {
      if (problem.kind !== "no-such-lease") {
        throw problem;
      }
    }

    this.#leases.delete(lease.id);
    this.#show();
  }

  /** An event of the stream: leases that others than this page took or ended are asked for. */
  apply(kind, data) {
    const mine = kind === "leased" ? data.by === user.name && !this.of(data.board) : kind === "returned" && this.of(data.board);

    if (mine || kind === "boards") {
      clearTimeout(this.#asking);
      this.#asking = setTimeout(() => this.reload().catch(() => {}), 150);
    }
  }

  /** Ask for all of them. */
  async reload() {
    const leases = (await ask("GET", "leases")).filter((lease) => lease.holder === user.name && lease.id);
    this.#leases.clear();
    leases.forEach((lease) => this.#add(lease));
    this.#show();
  }

  /** Forget them. */
  clear() {
    clearTimeout(this.#asking);
    this.#leases.clear();
    this.#show();
  }

  #add(lease) {
    this.#leases.set(lease.id, { ...lease, ends: performance.now() + 1000 * lease.seconds_left });
  }

  #show() {
    for (const [id, item] of this.#items) {
      if (!this.#leases.has(id)) {
        this.#remove(item);
        this.#items.delete(id);
      }
    }

    for (const [id, lease] of this.#leases) {
      if (!this.#items.has(id)) {
        this.#items.set(id, this.#make(lease));
        by("lease-list").append(this.#items.get(id));
      }
    }

    by("no-leases").hidden = this.#leases.size > 0;
    this.#count();
    this.onChange();
  }

  #make(lease) {
    const names = lease.boards.join(", ");
    const act = (words, work) => make("button", { type: "button", "aria-label": `${words} the lease of ${names}`, onclick: () => this.#attempt(work) }, words);
    const renew = () => this.renew(lease, Number(by("seconds").value));
    const time = make("span", { className: "time" });
    return make("li", { className: "lease" }, make("b", {}, names), time, act("Renew", renew), act("End", () => this.end(lease)));
  }

  /** Take an item away, and a focus that is in it to the panel, so that it is not lost. */
  #remove(item) {
    if (item.contains(document.activeElement)) {
      by("leases").focus();
    }

    item.remove();
  }

  async #attempt(work) {
    this.complain("");

    try {
      await work();
    } catch (problem) {
      this.complain(problem.message);
    }
  }

  #count() {
    if (!link.live) {
      this.#items.forEach((item) => say(item.querySelector(".time"), "time left unknown"));
      return;
    }

    for (const [id, item] of this.#items) {
      const seconds = (this.#leases.get(id).ends - performance.now()) / 1000;
      const time = item.querySelector(".time");
      say(time, `${left(seconds)} left${seconds < SOON ? ", ends soon" : ""}`);
      mark(time, "data-soon", String(seconds < SOON));
    }
  }
}

const path = (lease) => `leases/${encodeURIComponent(lease.id)}`;
