// Programming: chosen boards are leased, loaded and given back, some at a time, each with a bar of its own.

import { ask } from "./api.js";
import { family, fits } from "./bitstreams.js";
import { allow, by, draw, icon, make, say } from "./dom.js";
import { announce } from "./events.js";
import { hindrance, mayUse, user } from "./session.js";
import { several, span, stepPart, stepWords, without } from "./words.js";

// A browser opens six connections to a service at most, of which one watches; one is left for everything else.
const AT_ONCE = 4;
const WAIT = 30; // seconds for a board to become free
const SPANS = [300, 900, 1800, 3600, 14400]; // seconds that leases are offered for

/** The form, and what becomes of it. */
export class Program {
  #jobs = new Map();
  #running = false;

  constructor({ table, uploads, leases }) {
    Object.assign(this, { table, uploads, leases });
    by("choose-free").addEventListener("click", () => this.#chooseFree());
    by("choose-none").addEventListener("click", () => table.choose([]));
    by("lease").addEventListener("click", () => this.#lease());
    by("program-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
  }

  /** Offer what the service allows to whoever has signed in. */
  begin() {
    const { lease_seconds: usual, longest_lease: longest } = user.limits;
    const spans = [...new Set([usual, longest, ...SPANS])].filter((each) => each <= longest).sort((one, other) => one - other);
    by("seconds").replaceChildren(...spans.map((each) => make("option", { value: String(each) }, span(each))));
    by("seconds").value = String(Math.min(usual, longest));
    this.refresh();
  }

  /** Show what can be done now. */
  refresh() {
    const count = this.table.chosen.size;
    const fitting = this.#fitting().length;
    const hindered = hindrance() || (this.#running ? "Boards are being programmed." : "");
    by("program-only-look").hidden = mayUse();
    by("drop").hidden = by("start-parts").hidden = !mayUse();
    by("drop").disabled = by("start-parts").disabled = Boolean(hindrance());
    say(by("chosen"), count ? `${several(count, "board")} chosen` : "No board chosen");
    say(by("start"), fitting ? `Program ${several(fitting, "board")}` : "Program");
    allow(by("start"), hindered || this.#lacking(fitting));
    allow(by("lease"), hindered || (count ? (this.#toLease().length ? "" : "You hold them already.") : "Tick boards in the table."));
    say(by("program-hint"), this.#hint());
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

  /** The chosen boards that the bitstream can run on. */
  #fitting() {
    return [...this.table.chosen].filter((name) => fits(this.uploads.chosen, this.table.farm.boards.get(name)));
  }

  /** The chosen boards that are not mine yet. */
  #toLease() {
    return [...this.table.chosen].filter((name) => !this.leases.of(name));
  }

  #lacking(fitting) {
    const bitstream = this.uploads.chosen;
    const count = this.table.chosen.size;
    const lacking = [bitstream ? "" : "pick a bitstream", count ? "" : "tick boards in the table"].filter(Boolean).join(" and ");

    if (lacking) {
      return `To program, ${lacking}.`;
    }

    return fitting ? "" : `${bitstream.name} is for ${family(bitstream.family)} and fits none of them.`;
  }

  #hint() {
    if (hindrance() || this.#running) {
      return hindrance() && "Nothing can be done until the service is heard again.";
    }

    const fitting = this.#fitting();
    const out = [...this.table.chosen].filter((name) => !fitting.includes(name));
    const bitstream = this.uploads.chosen;
    const most = out.length > 4 ? several(out.length, "board") : out.join(", ");
    return this.#lacking(fitting.length) || (out.length ? `${most} left out: ${bitstream.name} is for ${family(bitstream.family)}.` : "");
  }

  #chooseFree() {
    const free = this.table.shown().filter((board) => board.state === "free" && fits(this.uploads.chosen, board));
    this.table.choose(free.map((board) => board.name));
  }

  /** Take the chosen boards, and leave what is in them. */
  async #lease() {
    const waiting = this.#toLease();
    const seconds = Number(by("seconds").value);
    const problems = [];
    let taken = 0;
    const work = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        await this.leases.take(name, 0, seconds).then(
          () => (taken += 1),
          (problem) => problems.push(problem.message),
        );
      }
    };

    this.leases.complain("");
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.leases.complain(problems.join(" · "));
    announce(`${several(taken, "board")} leased for ${span(seconds)}`);
    by("leases").focus();
  }

  async #start() {
    const bitstream = this.uploads.chosen;
    const keep = by("keep").checked ? Number(by("seconds").value) : 0;
    const names = this.#fitting();
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
        taken = await this.leases.take(job.board, WAIT, keep || undefined);
      }

      job.say("Beginning");
      const path = `boards/${encodeURIComponent(job.board)}/program`;
      await ask("POST", path, { json: { bitstream: bitstream.id } });

      if (keep) {
        await this.leases.renew(taken ?? mine, keep);
      }

      job.done(`${bitstream.name} runs`);
      return true;
    } catch (problem) {
      job.failed(without(job.board, problem.message));
      return false;
    } finally {
      if (taken && !keep) {
        await this.leases.end(taken).catch((problem) => job.failed(`Not given back: ${without(job.board, problem.message)}`));
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
