// Answers read aloud: by the server's model that speaks where there is one, else by the browser.

let speaking = null; // how to stop what is being read, and which message it is

const canSpeak = () => Boolean(state.voice) || ("speechSynthesis" in window && speechSynthesis.getVoices().length > 0);
const speakLabel = () => (state.voice ? `Read aloud by ${state.voice}` : "Read aloud by this browser's voice");

function hush() {
  const was = speaking;
  speaking = null;
  if (was) was.stop();
  return was && was.id;
}

async function aloud(node, id) {
  if (hush() === id) return;
  const text = message(id).text.replace(/\s*\[\d+\]/g, "").trim();
  const over = () => { if (speaking && speaking.id === id) speaking = null; node.setAttribute("aria-pressed", "false"); };
  node.setAttribute("aria-pressed", "true");
  if (!state.voice) {
    const said = new SpeechSynthesisUtterance(text);
    said.onend = said.onerror = over;
    speaking = { id, stop: () => { speechSynthesis.cancel(); over(); } };
    return speechSynthesis.speak(said);
  }
  try {
    const { audio } = await ask("speak", { text });
    const player = new Audio(audio);
    player.onended = player.onerror = over;
    speaking = { id, stop: () => { player.pause(); over(); } };
    await player.play();
  } catch (error) {
    over();
    throw error;
  }
}
