// Figures as words.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** A number of bytes, three digits of it. */
export function bytes(count) {
  let unit = 0;

  while (count >= 999.5 && unit < UNITS.length - 1) {
    count /= 1000;
    unit += 1;
  }

  return `${unit && count < 99.95 ? count.toFixed(1) : Math.round(count)} ${UNITS[unit]}`;
}

/** A time left, such as 4:59 or 1:00:00. */
export function left(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The time of day of a moment in seconds since 1970. */
export function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

/** A moment as somebody would tell it today: the day only of another one. */
export function moment(seconds) {
  const then = new Date(seconds * 1000);
  const day = then.toDateString() === new Date().toDateString() ? "" : `${then.toLocaleDateString()}, `;
  return day + clock(seconds);
}

/** A span of time, such as 5 min or 1 h 30 min. */
export function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  const parts = [[Math.floor(minutes / 60), "h"], [minutes % 60, "min"], [Math.round(seconds % 60), "s"]];
  return parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** A word of a register, or an address: 0x and so many digits at least. */
export function hex(value, digits = 8) {
  return `0x${BigInt(value).toString(16).padStart(digits, "0")}`;
}

/** "1 board" or "3 boards". */
export function several(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** A step of a download, in words; a step that is under way is never all done. */
export function stepWords(step) {
  const word = { upload: "Uploading", verify: "Verifying", program: "Programming" }[step.stage] ?? step.stage;
  return step.total ? `${word} ${Math.min(99, Math.floor((100 * step.done) / step.total))} %` : word;
}

/** How far a download is at a step, of 1: programming has no bytes to count, and comes last. */
export function stepPart(step) {
  return step.total ? (0.9 * step.done) / step.total : 0.95;
}

/** A sentence without the name that it begins with, which stands before it already. */
export function without(name, sentence) {
  return sentence.startsWith(`${name}: `) ? without(name, sentence.slice(name.length + 2)) : sentence;
}

/** Why something is as it is, without the name of the board, which stands beside it. */
export function reasonOf({ name, board = name, reason }) {
  return without(board, reason);
}
