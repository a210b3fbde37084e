// Requests to the service, and its problem details as errors.

import * as session from "./session.js";

/** What the service, or the way to it, had against a request. */
export class Problem extends Error {
  constructor(status, kind, detail) {
    super(detail);
    this.status = status;
    this.kind = kind;
  }
}

/** The headers that every request needs. */
export function headers() {
  return { Authorization: `Bearer ${session.token()}` };
}

/** Ask the service; gives what it answers, parsed, or null; raises `Problem`. A token it does not take ends the session. */
export async function ask(method, path, { json, query, signal } = {}) {
  const used = session.token();
  const options = { method, headers: headers(), signal, cache: "no-store" };

  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
  }

  let response;

  try {
    response = await fetch(address(path, query), options);
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }

  if (!response.ok) {
    throw refused(response.status, await response.text(), used);
  }

  return response.status === 204 ? null : response.json();
}

/** Send a file as the body, saying how much of it has gone; gives what the service answers; raises `Problem`. */
export function send(method, path, file, query, onProgress) {
  const used = session.token();

  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far it is
    request.open(method, address(path, query));
    request.setRequestHeader("Authorization", headers().Authorization);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onProgress(event.loaded / (event.total || 1));
    request.onerror = () => reject(unreachable());
    request.onload = () => {
      if (request.status < 300) {
        resolve(JSON.parse(request.responseText));
      } else {
        reject(refused(request.status, request.responseText, used));
      }
    };
    request.send(file);
  });
}

/** The address of a path of the API, wherever the service is mounted. */
export function address(path, query = {}) {
  const url = new URL(`api/${path}`, document.baseURI);

  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) {
      url.searchParams.append(name, each);
    }
  }

  return url;
}

/** The service cannot be reached. */
export function unreachable() {
  return new Problem(0, "unreachable", "The service does not answer.");
}

/** What a refusal says, from its body. */
export function refused(status, text, used) {
  let told = {};

  try {
    told = JSON.parse(text);
  } catch {
    // no problem details: a proxy's own page
  }

  const kind = String(told.type ?? "").replace("urn:pynq-async:problem:", "");

  if (status === 401 && used === session.token()) {
    session.end(WRONG_TOKEN[kind] ?? "The service does not take this token.");
  }

  return new Problem(status, kind, told.detail ?? `The service answers ${status}.`);
}

const WRONG_TOKEN = {
  "unknown-token": "The service does not know this token.",
  "expired-token": "This token has expired; ask for a new one.",
};
