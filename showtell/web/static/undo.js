// Undoes edits of earlier fields with Ctrl+Z. Within the current field, the browser does it.

const edits = []; // { text: the field, before: its value when it got the focus }
let entered = ""; // value of the focused field when it got the focus

// Undo edits of the text fields within `area` with Ctrl+Z, the last one first.
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

// Return whether the browser itself may have something to undo in the focused field.
const isUsedBy = (target, area) =>
  target.matches("input, textarea") && !(area.contains(target) && target.value === entered);

// Return the last edit of a field that still exists.
function nextEdit() {
  while (edits.length) {
    const edit = edits.pop();
    if (edit.text.isConnected) return edit;
  }
}
