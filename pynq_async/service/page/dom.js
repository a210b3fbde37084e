// Elements, made and changed. Text is always set as text: names and reasons come from boards and are not trusted.

const SVG = "http://www.w3.org/2000/svg";

// What the icons are drawn of, in a square of 16 units.
const PATHS = {
  dot: "M8 4a4 4 0 1 0 0 8 4 4 0 1 0 0-8z",
  free: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13zm0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 1 1 0-9.800z",
  leased: "M8 1.500a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 1 0 0-6.400zM2 14.500c0-3.6 2.4-5.6 6-5.600s6 2 6 5.600z",
  absent: "M3.6 2.3 8 6.700l4.4-4.4 1.3 1.300L9.3 8l4.4 4.4-1.3 1.300L8 9.300l-4.4 4.4-1.3-1.300L6.7 8 2.3 3.600z",
  elsewhere: "M2 3h6v1.600H3.600v7.800h7.800V8H13v6H2zM9.5 1.500h5v5h-1.600V4.200L7.8 9.3 6.7 8.200l5.1-5.100H9.500z",
  done: "M6.3 12.9 1.9 8.500l1.3-1.3 3.1 3.1 6.5-6.5 1.3 1.300z",
  failed: "M8 1.2 15.4 14.400H.6zM7.2 6v4h1.600V6zm0 5v1.600h1.600V11z",
};

/** Make an element. Properties are set as such, others as attributes, `on...` listen; children are nodes or text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);

  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (name in element) {
      element[name] = value;
    } else {
      element.setAttribute(name, value);
    }
  }

  element.append(...children);
  return element;
}

/** A long name, which may be broken after each / and _ only. */
export function breakable(name) {
  return name.split(/(?<=[/_])/).flatMap((part, index) => (index ? [document.createElement("wbr"), part] : [part]));
}

/** The element with an id of index.html. */
export const by = (id) => document.getElementById(id);

/** Set a text only when it is another one, so that nothing is laid out for nothing. */
export function say(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Set an attribute only when it is another one. */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/** Let a control be used, or not for a reason that it tells. */
export function allow(control, reason) {
  control.disabled = Boolean(reason);

  if (control.title !== reason) {
    control.title = reason;
  }
}

/** An icon; it stands beside a word and is not read out. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  draw(svg, name);
  return svg;
}

/** Let an icon be another one. */
export function draw(svg, name) {
  mark(svg.firstChild, "d", PATHS[name]);
  mark(svg.firstChild, "fill-rule", "evenodd");
}
