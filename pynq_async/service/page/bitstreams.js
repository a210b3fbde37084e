// What is said of a bitstream: its line in the list, the facts below it, and which description goes with it.

import { bytes, moment, several } from "./words.js";

const FAMILIES = { zynq7000: "Zynq-7000", zynqmp: "Zynq UltraScale+", versal: "Versal" };

/** The name of a file without its suffix. */
export const stem = (name) => name.replace(/\.[^.]*$/, "").toLowerCase();

/** A line that tells it from another upload of the same file. */
export function line(bitstream) {
  return `${bitstream.name} · ${moment(bitstream.since)}`;
}

/** Whether it can run on a board, as far as both tell what they are. */
export function fits(bitstream, board) {
  return !bitstream?.family || !board?.family || bitstream.family === board.family;
}

/** A family as people write it. */
export const family = (name) => FAMILIES[name] ?? name;

/** What there is to know of it, and how many of some boards it fits. */
export function facts(bitstream, boards) {
  const fitting = boards.filter((board) => fits(bitstream, board)).length;
  return [
    bytes(bitstream.bytes),
    bitstream.part || (bitstream.family && family(bitstream.family)),
    bitstream.partial ? "partial" : "",
    bitstream.described ? "" : "no .hwh",
    `from ${bitstream.owner}`,
    boards.length ? `fits ${fitting} of ${several(boards.length, "board")}` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The one that runs on most of the boards, the latest of several. */
export function mostFitting(bitstreams, boards) {
  const count = (bitstream) => boards.filter((board) => fits(bitstream, board)).length;
  return bitstreams.reduce((best, each) => (best === undefined || count(each) >= count(best) ? each : best), undefined);
}
