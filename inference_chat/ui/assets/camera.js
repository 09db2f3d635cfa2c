// The camera: a picture, or a short clip with its sound.

async function camera() {
  if (!navigator.mediaDevices) return toast("The browser gives no camera to this page: open it by https or on localhost.", { kind: "bad" });
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch {
    return toast("There is no camera, or the browser may not use it: allow it beside the address.", { kind: "bad" });
  }
  const view = el("video", { autoplay: true, muted: true, playsInline: true, "aria-label": "What the camera sees" });
  view.srcObject = stream;
  const dialog = el("dialog", { class: "ic-camera", "aria-label": "Camera" });
  const record = el("button", { type: "button", on: { click: () => film().catch(complain) } }, "Record a clip");
  const take = el("button", { type: "button", class: "ic-primary", on: { click: () => shoot().then(() => dialog.close(), complain) } }, "Take a picture");
  let filming = null;

  async function shoot() {
    const canvas = el("canvas", { width: view.videoWidth, height: view.videoHeight });
    canvas.getContext("2d").drawImage(view, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    attachFiles([new File([blob], "camera.jpg", { type: "image/jpeg" })]);
  }

  async function film() {
    if (filming) return filming.stop();
    const sound = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => null); // a clip without sound is a clip too
    for (const track of sound ? sound.getAudioTracks() : []) stream.addTrack(track);
    const pieces = [];
    filming = new MediaRecorder(stream);
    filming.ondataavailable = ({ data }) => pieces.push(data);
    filming.onstop = () => { attachFiles([new File(pieces, "camera.webm", { type: filming.mimeType.split(";")[0] })]); dialog.close(); };
    filming.start();
    setTimeout(() => { if (filming.state !== "inactive") filming.stop(); }, state.record_seconds * 1000);
    take.hidden = true;
    record.textContent = "Stop";
    record.classList.add("on");
  }

  dialog.append(view, el("div", {}, take, record, el("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel")));
  dialog.addEventListener("close", () => {
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
    composer.focus();
  });
  element.querySelector(".ic").append(dialog);
  dialog.showModal();
}
