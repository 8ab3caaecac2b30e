// Takes a photograph with the visitor's camera.

const dialog = document.getElementById("camera");
const video = dialog.querySelector("video");
const alert = dialog.querySelector("[role=alert]");
const [take, cancel] = dialog.querySelectorAll("button");

const REASONS = {
  NotAllowedError: "Camera access is blocked. Allow it in the browser’s address bar.",
  NotFoundError: "No camera was found.",
};

let turns = 0; // how many times the dialog was opened

// Call `receive` with a list of one photograph when one was taken.
export function listen(receive) {
  const open = document.getElementById("camera-open");
  open.hidden = !navigator.mediaDevices; // only available over https and on localhost
  open.addEventListener("click", show);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", hide);
  take.addEventListener("click", async () => {
    receive([{ name: "camera.jpg", blob: await shoot() }]);
    dialog.close();
  });
}

async function show() {
  alert.textContent = "";
  take.disabled = true;
  dialog.showModal();
  const turn = ++turns;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1280 } },
    });
    // The visitor may have cancelled while the browser asked for permission.
    if (turn !== turns || !dialog.open) return stop(stream);
    video.srcObject = stream;
    await video.play();
    take.disabled = false;
  } catch (error) {
    alert.textContent = REASONS[error.name] ?? `The camera could not be started: ${error.message}`;
  }
}

function hide() {
  stop(video.srcObject);
  video.srcObject = null;
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function shoot() {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
