// A clip with what was found in it: boxes that move along, a timeline to jump by, what happened when.

function clip(shown) {
  const { output, source_clip: url } = shown;
  if (!url) return [];
  const video = el("video", { src: url, controls: true, muted: true, loop: true, playsInline: true, preload: "auto" });
  const canvas = el("div", { class: "ic-canvas ic-clip" }, video);
  video.addEventListener("loadedmetadata", fill);
  // Models read more formats than browsers play.
  video.addEventListener("error", () => {
    if (output.video && video.src !== output.video) video.src = output.video;
    else canvas.replaceWith(el("p", { class: "ic-none" }, "This browser cannot play clips of this format; what was found in it stands below. With “Render” among the options there is a clip that it can play."));
  });
  const seek = (seconds) => { video.currentTime = seconds; video.scrollIntoView({ block: "nearest", behavior: "smooth" }); };
  if (output.tracks) return [canvas, ...followed(shown, video, canvas, seek)];
  if (output.scenes) return [canvas, scenes(output, seek)];
  if (Array.isArray(output)) return [canvas, output.some((item) => item.start_s !== undefined || item.time_s !== undefined) ? spans(output, seek) : bars(output)];
  if (output.labels && output.windows) return [canvas, el("div", { class: "ic-found" }, bars(output.labels), windows(output.windows, seek))];
  if (output.sources?.length) return [canvas, shown.prompt ? question(shown.prompt) : null, el("p", { class: "ic-said-text", dir: "auto" }, output.text), cited(output.sources, seek)];
  const times = output.timestamps || [];
  return [canvas, shown.prompt ? question(shown.prompt) : null, el("p", { class: "ic-said-text", dir: "auto" }, output.text || "(no words)"),
    times.length ? el("div", { class: "ic-chips", "aria-label": "Frames the model looked at" }, times.map((time) => jump(time, seek))) : null];
}

function jump(seconds, seek, label) {
  return el("button", { type: "button", class: "ic-jump", title: "Go to this moment", on: { click: () => seek(seconds) } }, label || clock(seconds));
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

function followed(shown, video, canvas, seek) {
  const { tracks, fps, frame_count: count, events = [], counts } = shown.output;
  const { lines = [], zones = [] } = shown.settings?.options || {};
  const length = count / fps || 1;
  const names = [...new Set(tracks.map((track) => track.label))];
  const tone = (track) => `hsl(${HUES[tracks.indexOf(track) % HUES.length]} 75% 42%)`;
  const on = new Set(names);
  const sure = new Map(tracks.map((track) => [track, Math.max(...track.frames.map((place) => place.score ?? 1))]));
  const boxes = new Map(tracks.map((track) => [track, box({ label: `${track.label} ${track.id}`, box: null }, tone(track))]));
  canvas.append(...boxes.values());
  let kept = tracks;

  // Where the objects are at the moment that the player shows; between two looks, in between.
  function draw() {
    const now = video.currentTime;
    for (const [track, node] of boxes) {
      const place = kept.includes(track) ? placeAt(track.frames, now, 1.5 / fps) : null;
      node.hidden = !place;
      if (!place) continue;
      const [x, y, right, bottom] = place;
      Object.assign(node.style, { left: `${(x / video.videoWidth) * 100}%`, top: `${(y / video.videoHeight) * 100}%`, width: `${((right - x) / video.videoWidth) * 100}%`, height: `${((bottom - y) / video.videoHeight) * 100}%` });
      node.classList.toggle("low", y / video.videoHeight < 0.06);
      node.classList.toggle("far", x / video.videoWidth > 0.6);
    }
    hand.style.left = `${Math.min(100, (now / length) * 100)}%`;
    if (video.isConnected) requestAnimationFrame(draw);
  }
  const hand = el("i", { class: "ic-hand" });
  const rows = new Map(tracks.map((track) => [track, el("button", { type: "button", class: "ic-track", "aria-label": `${track.label} ${track.id}, from ${clock(track.frames[0].time_s)} to ${clock(track.frames.at(-1).time_s)}`, style: `--tone:${tone(track)}`, on: { click: () => seek(track.frames[0].time_s) } },
    el("span", {}, `${track.label} ${track.id}`), el("i", { style: `left:${(track.frames[0].time_s / length) * 100}%;right:${100 - (track.frames.at(-1).time_s / length) * 100}%` }))]));
  video.addEventListener("loadeddata", () => {
    if (lines.length || zones.length) canvas.append(places([video.videoWidth, video.videoHeight], lines, zones));
    requestAnimationFrame(draw);
  });
  const chips = el("div", { class: "ic-chips", role: "group", "aria-label": "Classes shown" }, names.map((name) => {
    const mine = tracks.filter((track) => track.label === name);
    const chip = el("button", { type: "button", "aria-pressed": "true", style: `--tone:${tone(mine[0])}`, on: { click: () => {
      if (on.has(name)) on.delete(name); else on.add(name);
      chip.setAttribute("aria-pressed", String(on.has(name)));
      filter();
    } } }, el("i"), mine.length > 1 ? `${name} ${mine.length}` : name);
    return chip;
  }));
  const least = Math.floor(Math.min(1, ...sure.values()) * 100) / 100;
  const slider = el("input", { type: "range", min: String(least), max: "1", step: "0.01", value: String(least), "aria-label": "Threshold", on: { input: () => filter() } });
  const told = el("output", { class: "ic-none" });
  const table = el("tbody");
  function filter() {
    kept = tracks.filter((track) => on.has(track.label) && sure.get(track) >= Number(slider.value));
    for (const [track, row] of rows) row.hidden = !kept.includes(track);
    told.textContent = `${kept.length} of ${tracks.length} shown · at some time at least ${percent(Number(slider.value))} sure`;
    table.replaceChildren(...kept.map((track) => trackRow(track, tone(track), sure.get(track), seek)));
  }
  filter();
  if (!tracks.length) return [el("p", { class: "ic-none" }, "Nothing was followed."), happened(events, seek)];
  const head = ["", "object", "from", "to", "direction", "px/s", "score"];
  return [el("label", { class: "ic-threshold" }, "Threshold", slider, told), chips,
    el("div", { class: "ic-timeline" }, bands(shown, length, seek), [...rows.values()], el("div", { class: "ic-hands" }, hand)),
    counts ? curve(counts, names, (name) => tone(tracks.find((track) => track.label === name)), length, seek) : null,
    counts ? counted(counts) : null, happened(events, seek),
    el("div", { class: "ic-table" }, el("table", {}, el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))), table))];
}

function trackRow(track, tone, score, seek) {
  const cells = [`${track.label} ${track.id}`, jump(track.frames[0].time_s, seek), jump(track.frames.at(-1).time_s, seek), track.direction === "none" ? "stays" : track.direction, track.speed_px_s, percent(score)];
  return el("tr", {}, el("td", {}, el("i", { class: "ic-tone", style: `--tone:${tone}` })), cells.map((cell) => el("td", {}, cell instanceof Node ? cell : String(cell ?? ""))));
}

// The scenes of the same clip, where they have been found before.
function bands(shown, length, seek) {
  const found = typeof past === "undefined" ? null : past.find((one) => one.output?.scenes && one.source_clip === shown.source_clip);
  if (!found) return null;
  return el("div", { class: "ic-bands", "aria-label": "Scenes" }, el("span", {}, "scenes"), found.output.scenes.map(({ start_s: from, end_s: to }, number) =>
    el("button", { type: "button", title: `Scene ${number + 1}, from ${clock(from)}`, style: `left:${(from / length) * 100}%;right:${Math.max(0, 100 - (to / length) * 100)}%`, on: { click: () => seek(from) } }, String(number + 1))));
}

// Who crossed the lines, each way, and who was in the zones.
function counted({ lines = [], zones = [] }) {
  if (!lines.length && !zones.length) return null;
  const each = (labels) => Object.entries(labels).map(([label, ways]) => `${label}: ${ways.in || 0} in, ${ways.out || 0} out`).join("; ");
  const rows = [...lines.map((line, number) => [`Line ${number + 1}`, `${line.in} in, ${line.out} out`, each(line.labels)]),
    ...zones.map((zone, number) => [`Zone ${number + 1}`, `${zone.entered} in, ${zone.left} out`, `${zone.objects} different, ${zone.seconds} s in all`])];
  return el("div", { class: "ic-table ic-counted" }, el("table", {}, el("thead", {}, el("tr", {}, ["", "crossed", "in detail"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
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

// How many objects there are, second by second: all of them, and each class; a click goes to that second.
function curve({ over_time: moments, at_once: most }, names, tone, length, seek) {
  const top = Math.max(1, most);
  const high = (count) => 38 - (count / top) * 36;
  const steps = (counted) => moments.flatMap((moment) => {
    const y = high(counted(moment));
    return [`${(moment.time_s / length) * 100},${y}`, `${Math.min(100, ((moment.time_s + 1) / length) * 100)},${y}`];
  }).join(" ");
  const sheet = svgNode("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none" });
  for (let count = 0; count <= top; count += Math.ceil(top / 4)) sheet.append(svgNode("line", { x1: 0, x2: 100, y1: high(count), y2: high(count) }));
  if (names.length > 1) for (const name of names) sheet.append(svgNode("polyline", { points: steps((moment) => moment.labels[name] || 0), style: `stroke:${tone(name)}` }));
  sheet.append(svgNode("polyline", { points: steps((moment) => moment.count), class: "all" }));
  const told = el("figcaption", {}, `Objects over time · at most ${most} at once`);
  const at = (event) => { const { left, width } = plot.getBoundingClientRect(); return Math.min(length, Math.max(0, ((event.clientX - left) / width) * length)); };
  const plot = el("div", { class: "ic-counts", on: {
    click: (event) => seek(at(event)),
    mousemove: (event) => {
      const moment = moments[Math.min(moments.length - 1, Math.floor(at(event)))];
      const each = Object.entries(moment.labels).map(([name, count]) => `${name} ${count}`).join(", ");
      told.textContent = `${clock(moment.time_s)}: ${moment.count}${each ? ` (${each})` : ""}`;
    },
    mouseleave: () => { told.textContent = `Objects over time · at most ${most} at once`; },
  } }, sheet);
  return el("figure", { class: "ic-curve", role: "img", "aria-label": `Objects over time, at most ${most} at once` }, el("div", { class: "ic-most" }, el("span", {}, String(top)), el("span", {}, "0")), plot,
    el("div", { class: "ic-times" }, el("span", {}, clock(0)), el("span", {}, clock(length))), told);
}

function happened(events, seek) {
  if (!events.length) return null;
  return el("details", { class: "ic-happened", open: events.length <= 12 }, el("summary", {}, `What happened (${events.length})`),
    el("ol", {}, events.map((event) => el("li", {}, jump(event.time_s, seek, event.timecode || clock(event.time_s)), el("span", {}, event.text)))));
}

function scenes({ scenes: found, cuts = [] }, seek) {
  const fades = cuts.filter((cut) => cut.kind === "fade").length;
  return el("div", { class: "ic-found" }, el("p", { class: "ic-none" }, [[found.length, "scene"], [cuts.length - fades, "cut"], [fades, "fade"]].map(([number, noun]) => `${number} ${noun}${number === 1 ? "" : "s"}`).join(" · ")),
    el("ol", { class: "ic-scenes" }, found.map((scene, number) => el("li", {}, el("button", { type: "button", on: { click: () => seek(scene.start_s) } },
      scene.image ? el("img", { src: scene.image, alt: `Scene ${number + 1}` }) : null, el("b", {}, `${clock(scene.start_s)} – ${clock(scene.end_s)}`), scene.caption ? el("span", { dir: "auto" }, scene.caption) : null)))));
}

// What happens when, stretch by stretch.
function windows(found, seek) {
  return el("ol", { class: "ic-windows" }, found.map(({ start_s: from, end_s: to, labels }) => el("li", {}, jump(from, seek, `${clock(from)} – ${clock(to)}`), el("span", {}, labels[0]?.label || ""), el("b", {}, percent(labels[0]?.score)))));
}

// The moments that a told text rests on.
function cited(sources, seek) {
  return el("div", { class: "ic-chips", "aria-label": "What the answer rests on" }, sources.filter((one) => one.start_s !== undefined).map((one) => jump(one.start_s, seek, `[${one.number}] ${clock(one.start_s)} ${one.text}`)));
}

function spans(items, seek) {
  return el("ol", { class: "ic-bars" }, items.map((item) => el("li", {}, jump(item.start_s ?? item.time_s, seek), el("span", {}, item.label), el("b", {}, percent(item.score)))));
}
