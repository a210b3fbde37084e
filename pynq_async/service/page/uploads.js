// Bitstreams: files that are picked or dropped, and those on the service.

import { ask, send } from "./api.js";
import { facts, line, mostFitting, stem } from "./bitstreams.js";
import { allow, by, make, say } from "./dom.js";
import { announce } from "./events.js";
import * as question from "./question.js";
import { hindrance, user } from "./session.js";
import { moment, without } from "./words.js";

const isDescription = (file) => /\.hwh$/i.test(file.name);
const isOwn = (bitstream) => bitstream.owner === user.name || user.scope === "admin";

/** The bitstreams on the service, one of them chosen; `onChange` is called when it is another one. */
export class Uploads {
  #list = [];
  #busy = Promise.resolve();

  constructor({ farm, look, onChange }) {
    Object.assign(this, { farm, onChange });
    by("files").addEventListener("change", () => this.#take([...by("files").files]));
    by("bitstream").addEventListener("change", () => this.#changed());
    by("look-bitstream").addEventListener("click", () => look(this.chosen));
    by("forget-bitstream").addEventListener("click", () => this.#try(() => this.#forget(this.chosen)));
    this.#listenForDrops(by("drop"));
  }

  /** The bitstream that is chosen, or undefined. */
  get chosen() {
    return this.#list.find((bitstream) => bitstream.id === by("bitstream").value);
  }

  /** Ask which there are, and choose one of them. */
  async reload(choose = by("bitstream").value) {
    this.#list = await ask("GET", "bitstreams");
    const found = this.#list.find((each) => each.id === choose) ?? mostFitting(this.#list, [...this.farm.boards.values()]);
    const options = this.#list.map((each) => make("option", { value: each.id }, line(each)));
    by("bitstream").replaceChildren(...(options.length ? options : [make("option", { value: "" }, "None yet")]));
    by("bitstream").value = found?.id ?? "";
    this.#changed();
  }

  /** Show what can be done with the one that is chosen. */
  refresh() {
    const chosen = this.chosen;
    const none = chosen ? "" : "There is no bitstream on the service.";
    const described = chosen?.described === false ? "It has no .hwh: upload one of the same name." : "";
    const own = chosen && !isOwn(chosen) ? `It is ${chosen.owner}'s.` : "";

    if (hindrance()) {
      question.callOff(by("forget-question"));
    }

    allow(by("look-bitstream"), none || described);
    allow(by("forget-bitstream"), none || hindrance() || own);
    say(by("bitstream-facts"), chosen ? facts(chosen, [...this.farm.boards.values()]) : "");
  }

  /** Forget what was said and asked. */
  clear() {
    ["upload-problem", "upload-done"].forEach((id) => say(by(id), ""));
    question.callOff(by("upload-question"));
    question.callOff(by("forget-question"));
  }

  #changed() {
    question.callOff(by("forget-question"));
    this.refresh();
    this.onChange();
  }

  /** Send files, after those that are being sent; nothing else can be asked before it is done. */
  #take(files) {
    by("files").value = "";
    question.callOff(by("upload-question"));
    this.#busy = this.#busy.then(() => this.#try(() => this.#sendAll(files)));
  }

  async #sendAll(files) {
    const descriptions = files.filter(isDescription);
    const done = [];
    const note = (sentence) => {
      done.push(sentence);
      say(by("upload-done"), done.join(" "));
      announce(sentence);
    };

    for (const file of files.filter((each) => !isDescription(each))) {
      const made = await this.#send("POST", "bitstreams", file);
      await this.reload(made.id);
      note(`${file.name} is on the service.`);
      const own = descriptions.findIndex((each) => stem(each.name) === stem(file.name));

      if (own >= 0) {
        const [description] = descriptions.splice(own, 1);
        await this.#describe(made, description);
        note(`${description.name} describes it.`);
      }
    }

    for (const file of descriptions) {
      const bitstream = await this.#ofDescription(file);

      if (bitstream !== undefined) {
        await this.#describe(bitstream, file);
        note(`${file.name} describes ${line(bitstream)}.`);
      }
    }
  }

  /** The bitstream that a description is of: the one of its name, or which the user says; undefined for none. */
  async #ofDescription(file) {
    const own = this.#list.filter(isOwn);
    const named = own.filter((each) => stem(each.name) === stem(file.name));

    if (!own.length) {
      throw new Error(`${file.name}: choose its bitstream together with it; there is none of yours on the service.`);
    }

    if (named.length === 1) {
      return named[0];
    }

    const options = (named.length ? named : own).map((each) => make("option", { value: each.id }, line(each)));
    const which = make("select", { "aria-label": `Bitstream that ${file.name} describes` }, ...options);
    which.value = options.at(-1).value;
    const words = `Which bitstream does ${file.name} describe? ${named.length ? "Several have" : "None has"} its name.`;
    const agreed = await question.ask(by("upload-question"), words, "Attach it", { no: "Leave it out", fields: [which] });
    return agreed ? own.find((each) => each.id === which.value) : undefined;
  }

  async #describe(bitstream, file) {
    await this.#send("PUT", `bitstreams/${encodeURIComponent(bitstream.id)}/description`, file);
    await this.reload(bitstream.id);
  }

  async #send(method, path, file) {
    const bar = by("sending");
    bar.hidden = false;
    bar.value = 0;
    bar.setAttribute("aria-label", `Sending ${file.name} to the service`);

    try {
      return await send(method, path, file, { name: file.name }, (part) => (bar.value = part));
    } catch (problem) {
      throw new Error(`${file.name}: ${without(file.name, problem.message)}`, { cause: problem });
    } finally {
      bar.hidden = true;
    }
  }

  async #forget(bitstream) {
    if (await question.ask(by("forget-question"), `Delete ${bitstream.name}, uploaded ${moment(bitstream.since)}?`, "Delete it", { no: "Keep it" })) {
      await ask("DELETE", `bitstreams/${encodeURIComponent(bitstream.id)}`);
      await this.reload();
      announce(`${bitstream.name} is deleted`);
      by("program").focus({ preventScroll: true });
    }
  }

  async #try(work) {
    say(by("upload-problem"), "");
    say(by("upload-done"), "");

    try {
      await work();
    } catch (problem) {
      say(by("upload-problem"), problem.message);
    }
  }

  #listenForDrops(place) {
    const files = (event) => !hindrance() && event.dataTransfer?.types.includes("Files");

    // Anywhere on the page, so that a file that misses the place does not replace the page.
    addEventListener("dragover", (event) => {
      event.preventDefault();
      event.dataTransfer.dropEffect = files(event) ? "copy" : "none";
      place.classList.toggle("over", files(event));
    });
    addEventListener("dragleave", (event) => event.relatedTarget ?? place.classList.remove("over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      place.classList.remove("over");

      if (files(event)) {
        this.#take([...event.dataTransfer.files]);
      }
    });
  }
}
