// The page: photographs come in; one is told word by word, several become a table.

import * as camera from "./camera.js";
import * as intake from "./intake.js";
import * as many from "./many.js";
import * as one from "./one.js";
import "./pointing.js";
import * as settings from "./settings.js";
import { complain, enter } from "./state.js";

const back = document.getElementById("back");

function receive(photographs) {
  if (photographs.length === 1 && !many.any()) return show(photographs[0]);
  showTable();
  many.add(photographs);
}

async function show(photograph) {
  back.hidden = !many.any();
  try {
    await one.open(photograph);
  } catch (refusal) {
    enter(many.any() ? "many" : "empty");
    complain(refusal.message);
  }
}

function showTable() {
  one.close();
  enter("many");
}

intake.listen(receive);
camera.listen(receive);
settings.listen(() => ["busy", "told"].includes(document.body.dataset.state) && show(one.shown()));
document.addEventListener("closer", ({ detail }) => show(detail));
back.addEventListener("click", showTable);
