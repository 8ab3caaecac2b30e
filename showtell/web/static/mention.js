// The things that the classifier recognises, and the words that the caption must mention: a row of
// toggle buttons.

import * as figure from "./figure.js";

const [row, form, field] = ["things", "mention", "word"].map((id) => document.getElementById(id));

let things = []; // the things in the photograph, in the server's format
let asked = []; // the words that the caption must mention
let used = null; // what the visitor used last: the name of a button, or the field

// Call `again` with the words to mention whenever they change.
export function listen(again) {
  row.addEventListener("click", ({ target }) => {
    const name = nameOf(target);
    if (!name) return;
    used = name;
    again(asked.includes(name) ? asked.filter((word) => word !== name) : [...asked, name]);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!typed().length) return;
    used = field;
    again([...new Set([...asked, ...typed()])]);
  });
}

const typed = () =>
  field.value.split(",").map((word) => word.trim().toLowerCase()).filter(Boolean);

// Show the things in a photograph, and the words that its caption must mention.
export function tell(seen, mention) {
  [things, asked] = [seen, mention];
  const others = asked.filter((word) => !things.some(({ name }) => name === word));
  row.replaceChildren(...things.map(chip), ...others.map((name) => chip({ name })));
  if (used === field && typed().every((word) => asked.includes(word))) field.value = "";
  const button = [...row.children].find(({ dataset }) => dataset.thing === used);
  if (used) (button ?? field).focus({ preventScroll: true });
  used = null;
}

function chip({ name, probability }) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", textContent: name });
  button.dataset.thing = name;
  button.ariaPressed = String(asked.includes(name));
  if (probability !== undefined) {
    const percent = document.createElement("small");
    percent.textContent = `${(100 * probability).toFixed(0)}%`;
    button.append(" ", percent);
  }
  return button;
}

// ---- Where a thing is ----------------------------------------------------------------------

const nameOf = (target) => target.closest("[data-thing]")?.dataset.thing;

function show({ target }) {
  const thing = things.find(({ name }) => name === nameOf(target));
  if (thing?.attention) figure.lookAt(thing);
}
const leave = () => figure.look(figure.heldWord());

row.addEventListener("pointerover", (event) => {
  if (event.pointerType === "mouse" && !("playing" in document.body.dataset)) show(event);
});
row.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && leave());
row.addEventListener("focusin", (event) => {
  if (!event.target.matches(":focus-visible")) return;
  document.dispatchEvent(new Event("hold"));
  show(event);
});
row.addEventListener("focusout", leave);
