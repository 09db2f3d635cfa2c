// The microphone: what is said is heard by the server piece by piece while it is spoken, then attached.

const RATE = 16000;
const EVERY = 1000; // ms between two pieces
const HEARD_AT_ONCE = 24; // seconds of sound that one piece holds at most
let recording = null;

async function microphone() {
  if (recording) return recording.finish(true);
  if (!navigator.mediaDevices) return toast("The browser gives no microphone to this page: open it by https or on localhost.", { kind: "bad" });
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  } catch {
    return toast("There is no microphone, or the browser may not use it: allow it beside the address.", { kind: "bad" });
  }
  const recorder = new MediaRecorder(stream);
  const mine = { pieces: [], fixed: "", from: 0, text: "", asked: false, kept: true, began: performance.now() };
  recorder.ondataavailable = ({ data }) => { if (data.size) { mine.pieces.push(data); partly(mine).catch(() => {}); } };
  recorder.onstop = () => over(mine, stream).catch(complain);
  mine.finish = (kept) => { mine.kept = kept; if (recorder.state !== "inactive") recorder.stop(); };
  mine.clock = setInterval(() => {
    if ((performance.now() - mine.began) / 1000 >= state.record_seconds) return mine.finish(true);
    drawRecording();
  }, 250);
  recording = mine;
  recorder.start(EVERY);
  drawRecording();
  say("Recording.");
}

// All samples so far, mono at 16 kHz; browsers bring them to the rate of the context.
async function samplesOf(mine) {
  const bytes = await new Blob(mine.pieces, { type: mine.pieces[0].type }).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
  return sound.getChannelData(0);
}

// What is said up to now. Sentences that are over are not heard again.
async function partly(mine) {
  if (!state.ears || mine.asked) return;
  mine.asked = true;
  try {
    const all = await samplesOf(mine);
    mine.from = Math.max(mine.from, all.length / RATE - HEARD_AT_ONCE);
    const rest = all.subarray(Math.round(mine.from * RATE));
    const { chunks } = await ask("hear", { audio: await dataUrl(wav(rest)) });
    const done = chunks.filter((chunk) => chunk.end < rest.length / RATE - 1);
    mine.text = [mine.fixed, ...chunks.map((chunk) => chunk.text)].filter(Boolean).join(" ");
    mine.fixed = [mine.fixed, ...done.map((chunk) => chunk.text)].filter(Boolean).join(" ");
    if (done.length) mine.from += done.at(-1).end;
  } finally {
    mine.asked = false;
    if (recording === mine) drawRecording();
  }
}

async function over(mine, stream) {
  clearInterval(mine.clock);
  for (const track of stream.getTracks()) track.stop();
  recording = null;
  drawRecording();
  composer.focus();
  if (!mine.kept || !mine.pieces.length) return say("The recording is thrown away.");
  const samples = await samplesOf(mine);
  const hears = (present() || { takes: [] }).takes.includes("audio");
  if (!hears && state.ears) return dictated(mine);
  const file = new File([wav(samples)], "recording.wav", { type: "audio/wav" });
  file.said = mine.text;
  attachFiles([file]);
  say("The recording is attached.");
}

// For a model without ears the words are written instead.
async function dictated(mine) {
  while (mine.asked) await new Promise((resolve) => setTimeout(resolve, 50));
  await partly(mine);
  const before = composer.value.trim();
  composer.value = before ? `${before} ${mine.text}` : mine.text;
  grow(composer);
  drafts.keep(composer.value);
  if (!mine.text) toast("No words were heard. Say it again, nearer to the microphone.", { kind: "bad" });
}

function drawRecording() {
  const bar = $(".ic-recording");
  bar.hidden = !recording;
  const button = $("[data-do=microphone]");
  button.setAttribute("aria-pressed", String(Boolean(recording)));
  button.setAttribute("aria-label", recording ? "Stop the recording and attach it" : "Record a sound");
  if (!recording) return;
  const seconds = (performance.now() - recording.began) / 1000;
  $(".ic-clock", bar).textContent = `${clockOf(seconds)} of ${clockOf(state.record_seconds)}`;
  $(".ic-partly", bar).textContent = recording.text || (state.ears ? "Listening…" : "Recording…");
}

// Samples as a 16-bit WAV file.
function wav(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, 2 * RATE, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.max(-1, Math.min(1, sample)) * 32767, true));
  return new Blob([view], { type: "audio/wav" });
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = reject;
    reader.readAsDataURL(blob);
  });
}
