// Ctrl+Z in the table, once an edited caption has been left; within one, the browser undoes.

const edits = []; // { text: the field, before: its value when it was entered }
let entered = ""; // the value of the field that has the focus, when it was entered

// Take back edits of the text fields within `area`, the last one first, by Ctrl+Z.
export function undoWithin(area) {
  area.addEventListener("focusin", ({ target }) => (entered = target.value));
  area.addEventListener("change", ({ target }) => {
    if (target.value !== entered) edits.push({ text: target, before: entered });
    entered = target.value;
  });
  document.addEventListener("keydown", (event) => {
    const hidden = !area.offsetParent;
    if (!isUndo(event) || hidden || isUsedBy(event.target, area)) return;
    const last = nextEdit();
    if (!last) return;
    event.preventDefault();
    last.text.focus();
    last.text.value = entered = last.before;
    last.text.dispatchEvent(new Event("input"));
  });
}

const isUndo = ({ ctrlKey, metaKey, shiftKey, altKey, key }) =>
  (ctrlKey || metaKey) && !shiftKey && !altKey && key === "z";

// Whether the browser has something to undo where the focus is.
const isUsedBy = (target, area) =>
  target.matches("input, textarea") && !(area.contains(target) && target.value === entered);

// The last edit of a field that is still there.
function nextEdit() {
  while (edits.length) {
    const edit = edits.pop();
    if (edit.text.isConnected) return edit;
  }
}
