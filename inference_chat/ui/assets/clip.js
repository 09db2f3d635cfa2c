// A clip with what was found in it: boxes that move along, a timeline to jump by, what happened when.

function clip(shown) {
  const { output, source_clip: url } = shown;
  if (!url) return [];
  const video = el("video", { src: url, controls: true, muted: true, loop: true, playsInline: true, preload: "auto" });
  const canvas = el("div", { class: "ic-canvas ic-clip" }, video);
  const seek = (seconds) => { video.currentTime = seconds; video.scrollIntoView({ block: "nearest", behavior: "smooth" }); };
  if (output.tracks) return [canvas, ...followed(output, video, canvas, seek)];
  if (output.scenes) return [canvas, scenes(output, seek)];
  if (Array.isArray(output)) return [canvas, output.some((item) => item.start_s !== undefined || item.time_s !== undefined) ? spans(output, seek) : bars(output)];
  const times = output.timestamps || [];
  return [canvas, el("p", { class: "ic-said-text", dir: "auto" }, output.text || "(no words)"),
    times.length ? el("div", { class: "ic-chips", "aria-label": "Frames the model looked at" }, times.map((time) => jump(time, seek))) : null];
}

function jump(seconds, seek, label) {
  return el("button", { type: "button", class: "ic-jump", title: "Go to this moment", on: { click: () => seek(seconds) } }, label || clock(seconds));
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

function followed({ tracks, fps, frame_count: count, events = [], counts }, video, canvas, seek) {
  const length = count / fps || 1;
  const names = [...new Set(tracks.map((track) => track.label))];
  const tone = (track) => `hsl(${HUES[tracks.indexOf(track) % HUES.length]} 75% 42%)`;
  const on = new Set(tracks);
  const boxes = new Map(tracks.map((track) => [track, box({ label: `${track.label} ${track.id}`, box: null }, tone(track))]));
  canvas.append(...boxes.values());

  // Where the objects are at the moment that the player shows; between two looks, in between.
  function draw() {
    const now = video.currentTime;
    for (const [track, node] of boxes) {
      const place = on.has(track) ? placeAt(track.frames, now, 1.5 / fps) : null;
      node.hidden = !place;
      if (!place) continue;
      const [x, y, right, bottom] = place;
      Object.assign(node.style, { left: `${(x / video.videoWidth) * 100}%`, top: `${(y / video.videoHeight) * 100}%`, width: `${((right - x) / video.videoWidth) * 100}%`, height: `${((bottom - y) / video.videoHeight) * 100}%` });
      node.classList.toggle("low", y / video.videoHeight < 0.06);
    }
    hand.style.left = `${Math.min(100, (now / length) * 100)}%`;
    if (video.isConnected) requestAnimationFrame(draw);
  }
  const hand = el("i", { class: "ic-hand" });
  const rows = tracks.map((track) => el("button", { type: "button", class: "ic-track", "aria-label": `${track.label} ${track.id}, from ${clock(track.frames[0].time_s)} to ${clock(track.frames.at(-1).time_s)}`, style: `--tone:${tone(track)}`, on: { click: () => seek(track.frames[0].time_s) } },
    el("span", {}, `${track.label} ${track.id}`), el("i", { style: `left:${(track.frames[0].time_s / length) * 100}%;right:${100 - (track.frames.at(-1).time_s / length) * 100}%` })));
  video.addEventListener("loadeddata", () => requestAnimationFrame(draw));
  const chips = el("div", { class: "ic-chips", role: "group", "aria-label": "Classes shown" }, names.map((name) => {
    const mine = tracks.filter((track) => track.label === name);
    const chip = el("button", { type: "button", "aria-pressed": "true", style: `--tone:${tone(mine[0])}`, on: { click: () => {
      const show = chip.getAttribute("aria-pressed") !== "true";
      for (const track of mine) if (show) on.add(track); else on.delete(track);
      chip.setAttribute("aria-pressed", String(show));
    } } }, el("i"), mine.length > 1 ? `${name} ${mine.length}` : name);
    return chip;
  }));
  return [chips, tracks.length ? el("div", { class: "ic-timeline" }, rows, el("div", { class: "ic-hands" }, hand)) : el("p", { class: "ic-none" }, "Nothing was followed."),
    counts ? curve(counts.over_time, length) : null, happened(events, seek)];
}

function placeAt(frames, now, slack) {
  let low = 0;
  let high = frames.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (frames[middle].time_s <= now) low = middle; else high = middle - 1;
  }
  const here = frames[low];
  const next = frames[low + 1];
  if (now < here.time_s - slack || (!next && now > here.time_s + slack)) return null;
  const sides = ({ box: { xmin, ymin, xmax, ymax } }) => [xmin, ymin, xmax, ymax];
  if (!next || now <= here.time_s) return sides(here);
  if (next.time_s - here.time_s > 1) return null;
  const part = (now - here.time_s) / (next.time_s - here.time_s);
  const to = sides(next);
  return sides(here).map((side, number) => side + (to[number] - side) * part);
}

// How many objects there are, second by second.
function curve(moments, length) {
  const most = Math.max(1, ...moments.map((moment) => moment.count));
  const points = moments.flatMap(({ time_s: time, count }) => [`${(time / length) * 100},${30 - (count / most) * 28}`, `${Math.min(100, ((time + 1) / length) * 100)},${30 - (count / most) * 28}`]);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 31");
  svg.setAttribute("preserveAspectRatio", "none");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  svg.append(line);
  return el("figure", { class: "ic-curve", "aria-label": `Objects over time, at most ${most} at once` }, svg, el("figcaption", {}, `Objects over time · at most ${most} at once`));
}

function happened(events, seek) {
  if (!events.length) return null;
  return el("details", { class: "ic-happened", open: events.length <= 12 }, el("summary", {}, `What happened (${events.length})`),
    el("ol", {}, events.map((event) => el("li", {}, jump(event.time_s, seek, event.timecode || clock(event.time_s)), el("span", {}, event.text)))));
}

function scenes({ scenes: found, cuts = [] }, seek) {
  const fades = cuts.filter((cut) => cut.kind === "fade").length;
  return el("div", { class: "ic-found" }, el("p", { class: "ic-none" }, `${found.length} scenes · ${cuts.length - fades} cuts · ${fades} fades`),
    el("ol", { class: "ic-scenes" }, found.map((scene, number) => el("li", {}, el("button", { type: "button", on: { click: () => seek(scene.start_s) } },
      scene.image ? el("img", { src: scene.image, alt: `Scene ${number + 1}` }) : null, el("b", {}, `${clock(scene.start_s)} – ${clock(scene.end_s)}`), scene.caption ? el("span", { dir: "auto" }, scene.caption) : null)))));
}

function spans(items, seek) {
  return el("ol", { class: "ic-bars" }, items.map((item) => el("li", {}, jump(item.start_s ?? item.time_s, seek), el("span", {}, item.label), el("b", {}, percent(item.score)))));
}
