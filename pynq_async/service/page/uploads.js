// Bitstreams: files that are picked or dropped, and those on the service.

import { ask, send } from "./api.js";
import { by, make, say } from "./dom.js";
import { announce } from "./events.js";
import { mayUse, user } from "./session.js";
import { bytes } from "./words.js";

const stem = (name) => name.replace(/\.[^.]*$/, "");
const isDescription = (file) => /\.hwh$/i.test(file.name);

/** The bitstreams on the service, one of them chosen; `onChange` is called when it is another one. */
export class Uploads {
  #list = [];

  constructor({ look, onChange }) {
    this.onChange = onChange;
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
  async refresh(choose = by("bitstream").value) {
    this.#list = await ask("GET", "bitstreams");
    const options = this.#list.map((each) => make("option", { value: each.id }, words(each)));
    by("bitstream").replaceChildren(...(options.length ? options : [make("option", { value: "" }, "None yet")]));
    by("bitstream").value = this.#list.some((each) => each.id === choose) ? choose : (this.#list.at(-1)?.id ?? "");
    this.#changed();
  }

  #changed() {
    const chosen = this.chosen;
    by("look-bitstream").disabled = !chosen?.described;
    by("forget-bitstream").disabled = !chosen || !mayUse() || (chosen.owner !== user.name && user.scope !== "admin");
    this.onChange();
  }

  async #take(files) {
    by("files").value = "";
    const descriptions = files.filter(isDescription);
    const bitstreams = files.filter((file) => !isDescription(file));

    await this.#try(async () => {
      for (const file of bitstreams) {
        const made = await this.#send("POST", "bitstreams", file);
        const own = descriptions.find((each) => stem(each.name) === stem(file.name));
        const description = own ?? (bitstreams.length === 1 ? descriptions[0] : undefined);
        await this.refresh(made.id);

        if (description) {
          await this.#describe(made, description);
        }

        announce(`${file.name} is on the service`);
      }

      if (!bitstreams.length && descriptions.length) {
        if (!this.chosen) {
          throw new Error("Pick the bitstream that the .hwh belongs to as well.");
        }

        await this.#describe(this.chosen, descriptions[0]);
      }
    });
  }

  async #describe(bitstream, file) {
    await this.#send("PUT", `bitstreams/${encodeURIComponent(bitstream.id)}/description`, file);
    await this.refresh(bitstream.id);
  }

  async #send(method, path, file) {
    const bar = by("sending");
    bar.hidden = false;
    bar.value = 0;
    bar.setAttribute("aria-label", `Sending ${file.name} to the service`);

    try {
      return await send(method, path, file, { name: file.name }, (part) => (bar.value = part));
    } catch (problem) {
      throw new Error(`${file.name}: ${problem.message}`, { cause: problem });
    } finally {
      bar.hidden = true;
    }
  }

  async #forget(bitstream) {
    await ask("DELETE", `bitstreams/${encodeURIComponent(bitstream.id)}`);
    await this.refresh();
  }

  async #try(work) {
    say(by("upload-problem"), "");

    try {
      await work();
    } catch (problem) {
      say(by("upload-problem"), problem.message);
    }
  }

  #listenForDrops(place) {
    const files = (event) => mayUse() && event.dataTransfer?.types.includes("Files");

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

function words(bitstream) {
  const parts = [bitstream.name, bytes(bitstream.bytes), bitstream.part, bitstream.described ? "" : "no .hwh"];
  return parts.filter(Boolean).join(" · ");
}
