// The registers of an IP: read one or all, fields taken apart, written behind a second click.

import { ask } from "./api.js";
import { breakable, make, say } from "./dom.js";
import { announce } from "./events.js";
import { hex } from "./words.js";

const number = (text) => (/^\s*(0x[0-9a-f_]+|0b[01_]+|[0-9_]+)\s*$/i.test(text) ? Number(text.trim().replaceAll("_", "")) : NaN);
const readable = (register) => register.access !== "write-only";
const writable = (register) => register.access !== "read-only";

/** A table of registers; without a `board` they are only described. */
export class RegisterTable {
  #rows = new Map();

  constructor(ip, board) {
    Object.assign(this, { ip, board });
    this.problem = make("p", { className: "problem", role: "alert" });
    this.element = make("div", { className: "registers" }, ...this.#content());
  }

  #content() {
    const { ip, board } = this;

    if (!ip.registers.length) {
      return [make("p", { className: "empty" }, "Its registers are not described.")];
    }

    const head = ["Offset", "Register", ...(board === null ? [] : ["Value", ""])];
    const cells = head.map((word) => make("th", { scope: "col" }, word || make("span", { className: "unseen" }, "Actions")));
    const body = make("tbody");
    const table = make("table", { "aria-label": `Registers of ${ip.name}` }, make("thead", {}, make("tr", {}, ...cells)), body);
    [...ip.registers].sort((one, other) => one.offset - other.offset).forEach((register) => body.append(...this.#row(register)));
    const all = make("button", { type: "button", onclick: () => this.#read() }, `Read all of ${ip.name}`);
    return [...(board === null ? [] : [all]), this.problem, table];
  }

  #row(register) {
    const value = make("td", { className: "word value" }, "–");
    const read = make("button", { type: "button", "aria-label": `Read ${register.name}`, onclick: () => this.#read(register) }, "Read");
    const write = make("button", { type: "button", "aria-label": `Write ${register.name}`, "aria-expanded": "false", onclick: () => this.#open(register) }, "Write");
    const actions = make("td", { className: "actions" }, ...(readable(register) ? [read] : []), ...(writable(register) ? [write] : []));
    const row = make(
      "tr",
      { "data-register": register.name },
      make("td", { className: "word" }, hex(register.offset, 2)),
      make("th", { scope: "row", title: register.description ?? "" }, ...breakable(register.name), " ", make("span", { className: "muted" }, access(register))),
      ...(this.board === null ? [] : [value, actions]),
    );
    const fields = new Map(register.fields.map((field) => [field.name, make("b", { className: "word" })]));
    const list = register.fields.map((field) =>
      make("li", { title: field.description ?? "" }, field.name, " ", make("span", { className: "muted" }, bits(field)), " ", fields.get(field.name)),
    );
    const below = make("td", { colSpan: this.board === null ? 2 : 4 }, make("ul", { className: "fields" }, ...list));
    const more = make("tr", { className: "more", hidden: !list.length }, below);
    this.#rows.set(register.name, { row, value, write, fields, below, more, form: null, has: list.length > 0 });
    return [row, more];
  }

  async #read(register) {
    await this.#try(async () => {
      const query = { ip: this.ip.name, ...(register ? { register: register.name } : {}) };
      const told = await ask("GET", this.#path(), { query });
      told.registers.forEach((each) => this.#show(each));
      announce(register ? `${register.name} is ${this.#rows.get(register.name).value.textContent}` : `${told.registers.length} registers read`);
    });
  }

  #show(told) {
    const row = this.#rows.get(told.name);
    const word = hex(told.value);
    row?.value.classList.toggle("changed", row.value.textContent !== "–" && row.value.textContent !== word);
    say(row.value, word);

    for (const [name, value] of Object.entries(told.fields)) {
      if (row.fields.has(name)) {
        say(row.fields.get(name), value < 10 ? `= ${value}` : `= ${hex(value, 1)}`);
      }
    }
  }

  #open(register) {
    const row = this.#rows.get(register.name);

    if (row.form !== null) {
      this.#close(row);
      return;
    }

    const fields = register.fields.filter(writable).map((field) => make("option", { value: field.name }, `field ${field.name}`));
    const what = make("select", { "aria-label": `What to write of ${register.name}` }, make("option", { value: "" }, "the whole word"), ...fields);
    const input = make("input", { type: "text", inputMode: "text", autocomplete: "off", spellcheck: false, placeholder: "0x0, 0b0 or 0", "aria-label": `Value for ${register.name}`, required: true });
    const start = make("button", { type: "submit", className: "main" }, `Write to ${register.name}`);
    const cancel = make("button", { type: "button", onclick: () => this.#close(row) }, "Cancel");
    const form = make("form", { className: "row write" }, what, input, start, cancel);
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.#close(row));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#write(register, what.value, number(input.value));
    });
    row.form = form;
    row.below.append(form);
    row.more.hidden = false;
    row.write.setAttribute("aria-expanded", "true");
    input.focus();
  }

  #close(row) {
    row.form.remove();
    row.form = null;
    row.more.hidden = !row.has;
    row.write.setAttribute("aria-expanded", "false");
    row.write.focus();
  }

  async #write(register, field, value) {
    await this.#try(async () => {
      if (!Number.isSafeInteger(value)) {
        throw new Error("Write a number: 0x2a, 0b101010 or 42.");
      }

      const json = field ? { fields: { [field]: value } } : { value };
      await ask("PUT", this.#path(), { query: { ip: this.ip.name, register: register.name }, json });
      this.#close(this.#rows.get(register.name));
      announce(`${register.name} is written`);

      if (readable(register)) {
        await this.#read(register);
      }
    });
  }

  async #try(work) {
    say(this.problem, "");

    try {
      await work();
    } catch (problem) {
      say(this.problem, problem.message);
    }
  }

  #path() {
    return `boards/${encodeURIComponent(this.board)}/registers`;
  }
}

function access(register) {
  return `${SHORT[register.access] ?? register.access}${register.changes_when_read ? ", reading changes it" : ""}`;
}

const SHORT = { "read-write": "RW", "read-only": "RO", "write-only": "WO" };

function bits(field) {
  const top = field.bit_offset + field.bit_width - 1;
  return field.bit_width === 1 ? `[${top}]` : `[${top}:${field.bit_offset}]`;
}
