// The table of boards: a row each, made once and changed in place, at most once a frame.

import { fits } from "./bitstreams.js";
import { allow, by, draw, icon, make, mark, say } from "./dom.js";
import { STATES } from "./farm.js";
import { link, mayUse, user } from "./session.js";
import { bytes, reasonOf, several, stepPart, stepWords } from "./words.js";

const WORDS = { free: "Free", leased: "Leased", absent: "Absent", elsewhere: "Elsewhere" };
const ORDER = new Intl.Collator(undefined, { numeric: true });

/**
 * Shows `farm`; `chosen` is a set of names that the user has ticked, `look(name)` is called to look into a board.
 *
 * `bitstream()` is the one that would be loaded: boards that it does not fit are marked.
 */
export class BoardTable {
  chosen = new Set();
  #rows = new Map();
  #changed = new Set();
  #counts = {};
  #state = "all";
  #frame = 0;

  constructor(farm, { look, onChosen, bitstream }) {
    this.farm = farm;
    this.look = look;
    this.onChosen = onChosen;
    this.bitstream = bitstream;
    this.#makeStates();
    by("find").addEventListener("input", () => this.refresh());
    farm.onChange((names) => this.#later(names));
  }

  /** Draw all rows again, for instance because who looks at them has changed. */
  refresh() {
    this.#later(this.farm.boards.keys());
  }

  /** Tick just these boards, as far as they can be. */
  choose(names) {
    const wanted = new Set(names);
    this.chosen = new Set([...this.farm.boards.values()].filter((board) => wanted.has(board.name) && !unchoosable(board)).map((board) => board.name));
    this.refresh();
    this.onChosen();
  }

  /** The boards that the filter lets through. */
  shown() {
    return [...this.farm.boards.values()].filter((board) => this.#fits(board));
  }

  #later(names) {
    for (const name of names) {
      this.#changed.add(name);
    }

    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const before = this.chosen.size;

    for (const name of this.#changed) {
      const board = this.farm.boards.get(name);

      if (board === undefined) {
        this.#rows.get(name)?.row.remove();
        this.#rows.delete(name);
        this.chosen.delete(name);
      } else {
        this.#fill(this.#rows.get(name) ?? this.#add(name), board);
      }
    }

    this.#changed.clear();
    this.#summary();

    if (this.chosen.size !== before) {
      this.onChosen();
    }
  }

  #add(name) {
    const cell = (kind, label, ...children) => make("td", { role: "cell", className: kind, "data-label": label }, ...children);
    const tick = make("input", { type: "checkbox", "aria-label": `Choose ${name}`, onchange: () => this.#ticked(name, tick.checked) });
    const model = make("span", { className: "muted model" });
    const sign = icon("free");
    const word = make("span");
    const holder = make("span", { className: "muted by" });
    const loaded = make("span", { className: "name" });
    const step = make("span", { className: "muted step" });
    const bar = make("progress", { max: 1, value: 0, hidden: true, "aria-hidden": "true" });
    const misfit = make("span", { className: "misfit", hidden: true });
    const state = cell("state", "", sign, " ", word, " ", holder);
    const design = cell("design", "", loaded, step, bar);
    const [sent, received, warmth] = [cell("number sent", "to"), cell("number received", "from"), cell("number warmth", "at")];
    const look = make("button", { type: "button", onclick: () => this.look(name), "aria-label": `Registers of the design in ${name}` }, "Registers");
    const row = make(
      "tr",
      { role: "row", "data-board": name },
      cell("pick", "", tick),
      make("th", { role: "rowheader", scope: "row", className: "title" }, make("span", { className: "name" }, name), " ", model, " ", misfit),
      state,
      design,
      sent,
      received,
      warmth,
      cell("look", "", look),
    );
    const parts = { row, tick, model, sign, word, holder, state, design, loaded, step, bar, misfit, sent, received, warmth, look };
    this.#rows.set(name, parts);
    const next = [...by("board-rows").children].find((other) => ORDER.compare(other.dataset.board, name) > 0);
    by("board-rows").insertBefore(row, next ?? null);
    return parts;
  }

  #fill(parts, board) {
    const unfit = unchoosable(board);
    const absent = board.state === "absent";

    if (unfit) {
      this.chosen.delete(board.name);
    }

    allow(parts.tick, unfit);
    parts.tick.checked = this.chosen.has(board.name);
    parts.row.hidden = !this.#fits(board);
    mark(parts.row, "data-state", board.state);
    say(parts.model, board.model ?? "");
    draw(parts.sign, board.state);
    say(parts.word, WORDS[board.state]);
    say(parts.holder, !absent && board.holder ? `by ${board.holder}` : reasonOf(board));
    parts.holder.title = board.reason;
    parts.state.colSpan = absent ? 5 : 1; // room for why, where nothing else is known
    [parts.design, parts.sent, parts.received, parts.warmth].forEach((cell) => (cell.hidden = absent));
    say(parts.loaded, board.step ? "" : (board.design ?? "–") + board.partials.map((name) => ` + ${name}`).join(""));
    say(parts.step, board.step ? stepWords(board.step) : "");
    parts.bar.hidden = !board.step;
    parts.bar.value = board.step ? stepPart(board.step) : 0;
    parts.misfit.hidden = fits(this.bitstream(), board);
    say(parts.misfit, parts.misfit.hidden ? "" : `not for ${this.bitstream().name}`);
    say(parts.sent, rate(board, "sent"));
    say(parts.received, rate(board, "received"));
    say(parts.warmth, board.temperature == null ? "–" : `${board.temperature.toFixed(1)} °C`);
    allow(parts.look, board.design ? (link.live ? "" : "There is no connection to the service.") : "No design is known to be in it: program it first.");
  }

  #fits(board) {
    const words = by("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = [board.name, board.model, board.design, board.holder, board.family, ...board.tags].join(" ").toLowerCase();
    return (this.#state === "all" || board.state === this.#state) && words.every((word) => text.includes(word));
  }

  #ticked(name, on) {
    this.chosen[on ? "add" : "delete"](name);
    this.onChosen();
  }

  #makeStates() {
    for (const state of ["all", ...STATES]) {
      const count = make("b", {}, "0");
      const choose = () => {
        this.#state = state;
        this.refresh();
      };
      const radio = make("input", { type: "radio", name: "state", value: state, checked: state === "all", onchange: choose });
      const sign = state === "all" ? [] : [icon(state)];
      by("states").append(make("label", { "data-state": state }, radio, ...sign, make("span", {}, WORDS[state] ?? "All"), " ", count));
      this.#counts[state] = count;
    }
  }

  #summary() {
    const counts = { ...this.farm.counts(), all: this.farm.boards.size };

    for (const [state, element] of Object.entries(this.#counts)) {
      say(element, String(counts[state]));
    }

    const none = [...this.#rows.values()].every((parts) => parts.row.hidden);
    by("no-boards").hidden = !none;
    say(by("no-boards"), counts.all ? `None of ${several(counts.all, "board")} fits the filter.` : "The farm has no boards.");
  }
}

/** Why a board cannot be chosen, empty when it can. */
function unchoosable(board) {
  if (!mayUse()) {
    return "Your token may only look.";
  }

  const mine = board.state === "leased" && board.holder === user.name;
  const held = board.state === "leased" ? `${board.holder} has it.` : "Another process has it.";
  return board.state === "free" || mine ? "" : board.state === "absent" ? "It does not answer." : held;
}

function rate(board, way) {
  return board.rates === null ? "–" : `${bytes(board.rates[way])}/s`;
}
