// The page: signs in, watches what happens, and hands it to its parts.

import { ask } from "./api.js";
import { BoardTable } from "./boards.js";
import { DesignView } from "./design.js";
import { by, say } from "./dom.js";
import * as events from "./events.js";
import { Farm } from "./farm.js";
import { Leases } from "./leases.js";
import { Program } from "./program.js";
import * as session from "./session.js";
import { watch } from "./stream.js";
import { Uploads } from "./uploads.js";

const farm = new Farm();
const leases = new Leases({
  onChange: () => {
    design.refresh();
    program.refresh();
  },
});
const design = new DesignView({ farm, leases });
const table = new BoardTable(farm, {
  look: (name) => design.ofBoard(name),
  onChosen: () => program.refresh(),
  bitstream: () => uploads.chosen,
});
const uploads = new Uploads({
  farm,
  look: (bitstream) => design.ofBitstream(bitstream),
  onChange: () => {
    program.refresh();
    table.refresh();
  },
});
const program = new Program({ table, uploads, leases });
const shownInside = ["farm", "who", "parts", "stream"];
let stop = null;

farm.onChange(() => [uploads, program].forEach((part) => part.refresh())); // what a board is may be known only now

session.onEnd((reason) => showSignIn(reason));
by("sign-out").addEventListener("click", () => session.end());
by("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  session.begin(by("token").value);
  start();
});
by("token").addEventListener("invalid", (event) => {
  event.preventDefault(); // in the page's own words
  say(by("sign-in-problem"), "A token is needed to sign in.");
  by("token").focus();
});
addEventListener("hashchange", () => session.takeFromAddress() && start());

// A table that is all in sight stays there while the panels beside it are scrolled.
const sized = () => by("boards").classList.toggle("fits", by("boards").offsetHeight + 70 < innerHeight);
new ResizeObserver(sized).observe(by("boards"));
addEventListener("resize", sized);

session.takeFromAddress();

if (session.token() === null) {
  showSignIn("");
} else {
  start();
}

async function start() {
  say(by("sign-in-problem"), "");
  stop?.();

  if (!session.isToken()) {
    session.end("This is no token: it has letters, digits and signs, and no spaces.");
    return;
  }

  try {
    Object.assign(session.user, await ask("GET", "me"));
    farm.apply("boards", { boards: await ask("GET", "boards") });
    await uploads.reload();
  } catch (problem) {
    session.end(problem.message);
    return;
  }

  const typed = !by("sign-in").hidden;
  by("token").value = "";
  by("sign-in").hidden = true;
  shownInside.forEach((id) => (by(id).hidden = false));
  say(by("who-name"), session.user.name);
  say(by("who-scope"), `(${session.user.scope})`);
  showState("begin", "Connecting");
  program.begin();
  stop = watch((kind, data) => {
    [farm, leases, program].forEach((part) => part.apply(kind, data));
    events.note(kind, data);
  }, showState);

  if (typed) {
    by("main").focus();
  }
}

function showSignIn(reason) {
  stop?.();
  stop = null;
  [farm, leases, program, uploads, design, events].forEach((part) => part.clear());
  table.choose([]);
  shownInside.forEach((id) => (by(id).hidden = true));
  session.link.live = false;
  by("sign-in").hidden = false;
  say(by("sign-in-problem"), reason);
  by("token").focus();
}

function showState(state, why) {
  const before = by("stream").dataset.state;
  by("stream").dataset.state = state;
  by("farm").dataset.stale = state === "lost";
  session.link.live = state === "live";
  [program, uploads, leases, design, table].forEach((part) => part.refresh());

  if (before === "lost" && state === "live") {
    uploads.reload().catch(() => {}); // it may be another service by now
  }

  if (before !== state && (before === "lost" || state === "lost")) {
    events.announce(state === "lost" ? why : "Connected again.");
  }

  say(by("stream-word"), state === "live" ? "Live" : why);
}
