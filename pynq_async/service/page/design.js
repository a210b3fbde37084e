// A design looked into: its IP with addresses, each opened into its registers.

import { ask } from "./api.js";
import { breakable, by, make, say } from "./dom.js";
import { RegisterTable } from "./registers.js";
import { hindrance, mayUse } from "./session.js";
import { bytes, hex, several } from "./words.js";

const WAIT = 10; // seconds for a board to become free

/** Shows the design of a board, whose registers can be read while it is leased, or that of a bitstream. */
export class DesignView {
  #board = null;
  #parts = null;
  #asked = 0;

  constructor({ farm, leases }) {
    Object.assign(this, { farm, leases });
    farm.onChange((names) => this.#board !== null && [...names].includes(this.#board) && this.refresh());
  }

  /** Look into what is in a board's fabric. */
  ofBoard(name) {
    return this.#show(`boards/${encodeURIComponent(name)}/design`, name, name);
  }

  /** Look into a bitstream. */
  ofBitstream(bitstream) {
    return this.#show(`bitstreams/${encodeURIComponent(bitstream.id)}/design`, bitstream.name, null);
  }

  /** Show again who holds the board, and whether its registers can be read. */
  refresh() {
    if (this.#parts === null || this.#board === null) {
      return;
    }

    const { list, words, take } = this.#parts;
    const board = this.farm.boards.get(this.#board);
    const mine = this.leases.of(this.#board);
    list.disabled = !mine || board?.state === "absent" || Boolean(hindrance());
    take.hidden = Boolean(hindrance()) || board?.state !== "free";
    say(words, this.#mayRead(board, mine));
  }

  /** Show nothing. */
  clear() {
    this.#asked += 1;
    this.#board = this.#parts = null;
    say(by("design-title"), "Design");
    say(by("design-problem"), "");
    by("design-body").replaceChildren();
    by("no-design").hidden = false;
  }

  async #show(path, name, board) {
    this.clear();
    const asked = this.#asked;
    say(by("design-title"), `Design of ${name}`);
    by("no-design").hidden = true;
    by("design").scrollIntoView({ block: "nearest" });
    by("design").focus({ preventScroll: true });

    try {
      const design = await ask("GET", path);

      if (asked === this.#asked) {
        this.#board = board;
        this.#fill(design);
        by("design").scrollIntoView({ block: "start" });
      }
    } catch (problem) {
      if (asked === this.#asked) {
        say(by("design-problem"), problem.message);
      }
    }
  }

  #fill(design) {
    const words = make("span");
    const take = make("button", { type: "button", onclick: () => this.#take(this.#board) }, `Lease ${this.#board}`);
    const find = make("input", { type: "search", placeholder: "Name or type of an IP", "aria-label": "Find an IP", autocomplete: "off" });
    const items = design.ip.map((ip) => this.#ip(ip));
    const list = make("fieldset", {}, make("legend", { className: "unseen" }, "IP and registers"), ...items.map(([element]) => element));
    const memories = design.memories.map((memory) => make("li", {}, make("b", {}, memory.name), " ", range(memory)));
    find.addEventListener("input", () => {
      for (const [element, text] of items) {
        element.hidden = !text.includes(find.value.trim().toLowerCase());
      }
    });
    by("design-body").replaceChildren(
      make("p", { className: "muted" }, facts(design)),
      ...(this.#board === null ? [] : [make("p", { className: "row lease-it" }, words, take)]),
      ...(items.length > 8 ? [find] : []),
      list,
      ...(memories.length ? [make("h3", {}, "Memories"), make("ul", { className: "lines" }, ...memories)] : []),
    );
    this.#parts = { list, words, take };
    this.refresh();
  }

  #ip(ip) {
    const type = ip.type.split(":").slice(-2).join(" ");
    const head = make("summary", {}, make("span", {}, make("b", {}, ...breakable(ip.name)), " ", make("span", { className: "muted" }, type)), " ", range(ip));
    const details = make("details", { className: "ip", "data-ip": ip.name }, head);
    const board = this.#board;

    // A large design has thousands of registers: they are made when somebody looks.
    details.addEventListener("toggle", () => details.append(new RegisterTable(ip, board).element), { once: true });
    return [details, `${ip.name} ${ip.type}`.toLowerCase()];
  }

  #mayRead(board, mine) {
    if (hindrance()) {
      return mayUse() ? hindrance() : "Your token may only look; reading registers needs one with the scope use.";
    }

    if (board?.state === "absent") {
      return "The board does not answer.";
    }

    if (mine) {
      return "You hold the board.";
    }

    return board?.state === "free" ? "Reading registers needs a lease." : `${board?.holder ?? "Another process"} holds the board.`;
  }

  async #take(board) {
    say(by("design-problem"), "");

    try {
      await this.leases.take(board, WAIT);
      by("design").focus({ preventScroll: true });
    } catch (problem) {
      say(by("design-problem"), problem.message);
    }
  }
}

function range(ip) {
  return make("code", {}, `${hex(ip.address)} + ${bytesOf(ip.size)}`);
}

function bytesOf(size) {
  return size % 1024 ? bytes(size) : size % 1048576 ? `${size / 1024} KiB` : `${size / 1048576} MiB`;
}

function facts(design) {
  const registers = design.ip.reduce((sum, ip) => sum + ip.registers.length, 0);
  const clocks = design.clocks.filter((clock) => clock.enabled && clock.mhz).map((clock) => `clock ${clock.index}: ${Number(clock.mhz.toFixed(2))} MHz`);
  const partial = design.partial ? "partial" : "";
  return [design.family, partial, `${design.ip.length} IP`, several(registers, "register"), ...clocks].filter(Boolean).join(" · ");
}
