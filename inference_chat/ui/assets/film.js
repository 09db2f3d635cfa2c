// The steps of a picture, from noise: a slider through them, a button that plays them.

const LOOKS = { noisy: "With its noise", guess: "What the model expects" };
const BEAT = 120; // ms between two steps while it plays
let look = "noisy";
let at = 0;
let clock = null;

function drawFilm() {
  halt();
  const { frames = [], result, live } = props.value || {};
  if (!frames.length) return $(".ic-inside").replaceChildren(el("div", { class: "ic-nothing" }, el("p", {}, props.empty)));
  const steps = result ? [...frames, { noisy: result, guess: result }] : frames;
  at = steps.length - 1;
  const picture = el("img", { alt: "" });
  const place = el("span", { class: "ic-quietly" });
  const slider = el("input", { type: "range", min: 0, max: steps.length - 1, value: at, "aria-label": "Step", on: { input: () => { halt(); show(Number(slider.value)); } } });
  const play = el("button", { type: "button", class: "ic-small", on: { click: () => (clock ? halt() : start()) } }, "Play");
  const looks = el("div", { class: "ic-segments", role: "group", "aria-label": "What is shown" }, ...Object.entries(LOOKS).map(([key, name]) =>
    el("button", { type: "button", "aria-pressed": String(key === look), on: { click: () => {
      look = key;
      [...looks.children].forEach((node, number) => node.setAttribute("aria-pressed", String(Object.keys(LOOKS)[number] === look)));
      show(at);
    } } }, name)));

  function show(step) {
    at = step;
    slider.value = String(step);
    picture.src = steps[step][look];
    const last = result && step === steps.length - 1;
    place.textContent = last ? "The picture" : `Step ${step + 1} of ${frames.length}`;
    picture.alt = last ? "The picture that was drawn" : `The picture after step ${step + 1}, ${LOOKS[look].toLowerCase()}`;
  }

  function start() {
    play.textContent = "Pause";
    if (at === steps.length - 1) show(0);
    clock = setInterval(() => (at < steps.length - 1 ? show(at + 1) : halt()), BEAT);
    play.dataset.playing = "";
  }

  $(".ic-inside").replaceChildren(...[el("div", { class: "ic-canvas ic-film" }, picture), live ? null : el("div", { class: "ic-slide" }, play, slider, place), live ? null : looks].filter(Boolean));
  show(at);
}

function halt() {
  clearInterval(clock);
  clock = null;
  const play = $("[data-playing]");
  if (play) {
    play.textContent = "Play";
    delete play.dataset.playing;
  }
}

drawFilm();
watch("value", drawFilm);
