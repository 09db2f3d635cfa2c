// Lines and zones over a clip, in pixels of the clip: drawn while they are marked, and over the result.

function svgNode(tag, props = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function places([width, height], lines, zones) {
  const sheet = svgNode("svg", { viewBox: `0 0 ${width} ${height}`, class: "ic-places", "aria-hidden": "true" });
  const size = Math.max(width, height) / 40;
  zones.forEach((corners, number) => {
    const [x, y] = corners.reduce(([a, b], [c, d]) => [a + c / corners.length, b + d / corners.length], [0, 0]);
    sheet.append(svgNode("polygon", { points: corners.map((corner) => corner.join(",")).join(" ") }), name(`Zone ${number + 1}`, x, y));
  });
  lines.forEach(([[ax, ay], [bx, by]], number) => {
    const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
    const long = Math.hypot(bx - ax, by - ay) || 1;
    const [dx, dy] = [(-(by - ay) / long) * size * 1.6, ((bx - ax) / long) * size * 1.6]; // the way that counts as in
    sheet.append(svgNode("line", { x1: ax, y1: ay, x2: bx, y2: by }), svgNode("line", { x1: x, y1: y, x2: x + dx, y2: y + dy, class: "way" }),
      svgNode("circle", { cx: x + dx, cy: y + dy, r: size / 4 }), name(`Line ${number + 1}`, x - dx * 0.9, y - dy * 0.9));
  });
  return sheet;

  function name(text, x, y) {
    const node = svgNode("text", { x, y, "font-size": size, "text-anchor": "middle", "dominant-baseline": "middle" });
    node.textContent = text;
    return node;
  }
}
