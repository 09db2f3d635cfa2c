// A page that shows nothing new draws nothing, so that the browser leaves the processor to the models.
{
  // Gradio's status trackers count seconds at every frame, hidden ones too, and that of its first loader
  // goes on for ever after it is gone. No clock of Gradio's is shown here.
  const draws = window.requestAnimationFrame.bind(window);
  const counts = /performance\.now\(\)-\w+\(\w+\)\)\/1e3/;
  window.requestAnimationFrame = (callback) => (counts.test(callback) ? 0 : draws(callback));

  // What is at work pulses by this beat: an animation would have the page drawn 60 times a second. Where
  // something new is shown anyway (the event `drawn`) the beat falls on it, and costs no picture of its own.
  const AT_WORK = ":is(.ic-pulse, .ic-dots, .ic-status):not([hidden] *)";
  const [SOONEST, LATEST] = [250, 500];
  let [beat, beaten] = [0, 0];
  let next;
  const pulse = () => {
    clearTimeout(next);
    next = setTimeout(pulse, LATEST);
    beaten = performance.now();
    if (document.querySelector(AT_WORK)) document.documentElement.dataset.beat = String((beat += 1) % 4);
  };
  document.addEventListener("drawn", () => { if (performance.now() - beaten >= SOONEST) pulse(); });
  pulse();
}
