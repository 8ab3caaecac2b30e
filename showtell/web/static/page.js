// The main script of the page: shows one photograph with its caption, or several in a table.

import * as camera from "./camera.js";
import "./help.js";
import * as intake from "./intake.js";
import * as many from "./many.js";
import * as mention from "./mention.js";
import * as one from "./one.js";
import * as part from "./part.js";
import "./pointing.js";
import * as settings from "./settings.js";
import { complain, enter } from "./state.js";

const back = document.getElementById("back");

function receive(photographs) {
  if (photographs.length === 1 && !many.any()) return attempt(one.open(photographs[0]));
  showTable();
  many.add(photographs);
}

async function attempt(opening) {
  try {
    await opening;
  } catch (refusal) {
    if (many.any()) showTable();
    else if (!one.isShown()) enter("empty");
    complain(refusal.message);
  }
}

function showTable() {
  one.close({ forget: true });
  enter("many");
  back.hidden = true;
  many.comeBack();
}

intake.listen(receive);
camera.listen(receive);
mention.listen((words) => attempt(one.again(words)));
part.listen((at) => attempt(one.point(at)), one.widen);

settings.listen(() => {
  if (document.body.dataset.state === "many") many.outdate();
  else if (one.isShown()) attempt(one.again());
});

// Show the photograph of a row alone. The browser's back button also leads back to the table.
document.addEventListener("closer", ({ detail }) => {
  history.pushState(null, "");
  back.hidden = false;
  attempt(one.open(detail));
});
back.addEventListener("click", () => history.back());
addEventListener("popstate", () => many.any() && showTable());
