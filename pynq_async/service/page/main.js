// The page: signs in, watches what happens, and hands it to its parts.

import { ask } from "./api.js";
import { BoardTable } from "./boards.js";
import { by, say } from "./dom.js";
import * as events from "./events.js";
import { Farm } from "./farm.js";
import * as session from "./session.js";
import { watch } from "./stream.js";

const farm = new Farm();
const user = { name: "", scope: "read" };
let stop = null;

const table = new BoardTable(farm, {
  look: () => {},
  onChosen: () => {},
  choosable: (board) => user.scope !== "read" && (board.state === "free" || (board.state === "leased" && board.holder === user.name)),
});

session.onEnd((reason) => showSignIn(reason));
by("sign-out").addEventListener("click", () => session.end());
by("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  session.begin(by("token").value);
  start();
});

session.takeFromAddress();
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) {
    session.takeFromAddress();
    start();
  }
});

if (session.token() === null) {
  showSignIn("");
} else {
  start();
}

async function start() {
  say(by("sign-in-problem"), "");

  try {
    Object.assign(user, await ask("GET", "me"));
  } catch (problem) {
    if (problem.status !== 404 || session.token() === null) { // TODO: no 404 once /api/me is there
      if (session.token() !== null) {
        session.end(problem.message);
      }

      return;
    }

    Object.assign(user, { name: "alice", scope: "use" });
  }

  by("token").value = "";
  by("sign-in").hidden = true;

  for (const id of ["farm", "who", "parts", "stream"]) {
    by(id).hidden = false;
  }

  say(by("who-name"), `${user.name} (${user.scope})`);
  showState("lost", "Connecting");
  table.refresh();
  stop?.();
  stop = watch((kind, data) => {
    farm.apply(kind, data);
    events.note(kind, data);
  }, showState);
}

function showSignIn(reason) {
  stop?.();
  stop = null;
  farm.clear();
  events.clear();

  for (const id of ["farm", "who", "parts", "stream"]) {
    by(id).hidden = true;
  }

  by("sign-in").hidden = false;
  say(by("sign-in-problem"), reason);
  by("token").focus();
}

function showState(state, why) {
  by("stream").dataset.state = state;
  by("farm").dataset.stale = state === "lost";
  say(by("stream-word"), state === "live" ? "Live" : why);
}
