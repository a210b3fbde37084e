// Programming: chosen boards are leased, loaded and given back, some at a time, each with a bar of its own.

import { ask } from "./api.js";
import { by, draw, icon, make, say } from "./dom.js";
import { announce } from "./events.js";
import { mayUse } from "./session.js";
import { several, stepPart, stepWords } from "./words.js";

// A browser opens six connections to a service at most, of which one watches; one is left for everything else.
const AT_ONCE = 4;
const WAIT = 30; // seconds for a board to become free

/** The form, and what becomes of it. */
export class Program {
  #jobs = new Map();
  #running = false;

  constructor({ table, uploads, leases }) {
    Object.assign(this, { table, uploads, leases });
    by("choose-free").addEventListener("click", () => this.#chooseFree());
    by("choose-none").addEventListener("click", () => table.choose([]));
    by("program-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
  }

  /** Show what can be done now. */
  refresh() {
    const count = this.table.chosen.size;
    const bitstream = this.uploads.chosen;
    by("program-only-look").hidden = mayUse();
    by("drop").disabled = by("start-parts").disabled = !mayUse();
    say(by("chosen"), count ? `${several(count, "board")} chosen` : "No board chosen");
    say(by("start"), count ? `Program ${several(count, "board")}` : "Program");
    by("start").disabled = !count || !bitstream || this.#running;
    say(by("program-hint"), this.#hint(count, bitstream));
  }

  /** An event of the stream. */
  apply(kind, data) {
    if (kind === "progress") {
      this.#jobs.get(data.board)?.step(data);
    }
  }

  /** Forget what was done. */
  clear() {
    this.#jobs.clear();
    by("jobs").replaceChildren();
  }

  #hint(count, bitstream) {
    if (!mayUse() || this.#running) {
      return "";
    }

    const lacking = [bitstream ? "" : "pick a bitstream", count ? "" : "tick boards in the table"].filter(Boolean).join(" and ");
    return lacking && `To begin, ${lacking}.`;
  }

  #chooseFree() {
    this.table.choose(this.table.shown().filter((board) => board.state === "free").map((board) => board.name));
  }

  async #start() {
    const bitstream = this.uploads.chosen;
    const keep = by("keep").checked;
    const names = [...this.table.chosen];
    const waiting = [...names];
    const failed = [];
    this.#running = true;
    this.clear();

    for (const name of names) {
      const job = new Job(name);
      this.#jobs.set(name, job);
      by("jobs").append(job.item);
    }

    this.refresh();
    by("program").focus({ preventScroll: true }); // the button is off now, and would lose the focus

    const work = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        if (!(await this.#programOne(this.#jobs.get(name), bitstream, keep))) {
          failed.push(name);
        }
      }
    };

    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.#running = false;
    this.table.choose(failed); // to be tried again
    this.refresh();
    announce(`${several(names.length - failed.length, "board")} programmed${failed.length ? `, ${failed.length} failed` : ""}`);
  }

  async #programOne(job, bitstream, keep) {
    const mine = this.leases.of(job.board);
    let taken = null;

    try {
      if (!mine) {
        job.say("Waiting for the board");
        taken = await this.leases.take(job.board, WAIT);
      }

      job.say("Beginning");
      const path = `boards/${encodeURIComponent(job.board)}/program`;
      await ask("POST", path, { json: { bitstream: bitstream.id } });
      job.done(`${bitstream.name} runs`);
      return true;
    } catch (problem) {
      job.failed(problem.message);
      return false;
    } finally {
      if (taken && !keep) {
        await this.leases.end(taken).catch((problem) => job.failed(`Not given back: ${problem.message}`));
      }
    }
  }
}

/** One board that is programmed. */
class Job {
  constructor(board) {
    this.board = board;
    this.sign = icon("dot");
    this.words = make("span", { className: "words" }, "Waiting its turn");
    this.bar = make("progress", { max: 1, value: 0, "aria-label": `Progress of ${board}` });
    this.item = make("li", { "data-job": board }, this.sign, make("b", {}, board), this.words, this.bar);
  }

  say(words) {
    say(this.words, words);
  }

  step(step) {
    if (this.bar.hidden) {
      return; // it has ended: a last event came late
    }

    this.say(stepWords(step));
    this.bar.value = stepPart(step);
  }

  done(words) {
    this.#end("done", words);
  }

  failed(words) {
    this.#end("failed", words);
  }

  #end(state, words) {
    this.item.dataset.state = state;
    this.bar.hidden = true;
    draw(this.sign, state);
    this.say(state === "failed" ? `Failed: ${words}` : words);
  }
}
