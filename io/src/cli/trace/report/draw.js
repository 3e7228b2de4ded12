/* The picture: a canvas that is drawn anew for every window of time. */

const canvas = document.getElementById("canvas");
const overview = document.getElementById("overview");
const GUTTER = 118, AXIS = 26, PAD = 12;

/* Lanes beyond so many share the last one: there is no room for their names. */
const LANES_MAX = 24;
const laneNames = data.lanes.length > LANES_MAX
  ? [...data.lanes.slice(0, LANES_MAX - 1), `${data.lanes.length - LANES_MAX + 1} others`] : data.lanes;
const laneOf = (lane) => Math.min(lane, laneNames.length - 1);

/* More messages than this in a window are drawn as densities: single arrows would be a smear. */
const SINGLE_MAX = 2500;

const view = { from: 0, to: span, chosen: -1, hovered: -1, show: { up: true, down: true, dropped: false }, found: null };
let colours = {};
let layout = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "panel", "ink", "soft", "faint", "line", "lane", "up", "down", "bad", "wait", "link", "outage",
    "queued", "unconfirmed", "rtt", "chosen", "sans"]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

function fit(target) {
  const { width, height } = target.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  if (target.width !== Math.round(width * ratio) || target.height !== Math.round(height * ratio)) {
    target.width = Math.round(width * ratio);
    target.height = Math.round(height * ratio);
  }
  const context = target.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

/* Where everything is, from the top: axis, modules, hub, link, cloud, charts. What room is left goes to the ways to the cloud. */
function lay(width, height) {
  const charts = Math.min(230, Math.max(120, height * 0.29));
  const room = height - AXIS - charts - 30;
  const lane = Math.max(9, Math.min(52, room / (laneNames.length + 4.4)));
  const modules = AXIS + 8;
  const hub = modules + laneNames.length * lane + lane * 0.7;
  const way = Math.max(lane * 1.5, Math.min(170, (room + AXIS - hub) / 2));
  const link = hub + way, cloud = link + way;
  const depth = height - charts;
  const half = (charts - 34) / 2;
  layout = { width, height, lane, modules, hub, link, cloud, half, depth: depth + 6, rtt: depth + half + 28,
    left: GUTTER, right: width - PAD };
}

const xOf = (time) => layout.left + (time - view.from) / (view.to - view.from) * (layout.right - layout.left);
const timeOf = (x) => view.from + (x - layout.left) / (layout.right - layout.left) * (view.to - view.from);
const moduleY = (lane) => lane < 0 ? layout.hub : layout.modules + (laneOf(lane) + 0.5) * layout.lane;

function isShown(at) {
  if (view.found && !view.found.has(at)) return false;
  if (view.show.dropped && messages.fate[at] !== 1) return false;
  return messages.direction[at] === 0 ? view.show.up : view.show.down;
}

/* Messages of which something can be seen. */
function visible() {
  const seen = [];
  const end = lowerBound(begins, view.to + 1);
  for (let at = lowerBound(begins, view.from - longest); at < end; at++) {
    if (ends[at] >= view.from && isShown(at)) seen.push(at);
  }
  return seen;
}

/* The strokes of a message: `stroke(x0, y0, x1, y1, kind)` in times and heights; kind: go, back, wait, lost, drop. */
function strokes(at, stroke) {
  const up = messages.direction[at] === 0;
  const { hub, link, cloud } = layout;
  let reached = null, written = null;
  eachEvent(at, (time, kind, lane) => {
    switch (kind) {
      case EVENT.SENT: stroke(time, moduleY(lane), time, hub, "go"); reached = time; break;
      case EVENT.MADE: case EVENT.THERE: reached = time; break;
      case EVENT.RECEIVED: stroke(time, cloud, time, hub, "go"); reached = time; break;
      case EVENT.WRITTEN:
        if (reached !== null && time > reached) stroke(reached, hub, time, hub, "wait");
        written = time; reached = time; break;
      case EVENT.CONFIRMED: if (written !== null) stroke(written, hub, time, cloud, "go"); written = null; break;
      case EVENT.LOST: if (written !== null) stroke(written, hub, time, link, "lost"); reached = time; written = null; break;
      case EVENT.DELIVERED:
        if (up) break;
        if (reached !== null && time > reached) stroke(reached, hub, time, hub, "wait");
        stroke(time, hub, time, moduleY(lane), "go"); break;
      case EVENT.ACKNOWLEDGED: stroke(time, moduleY(lane), time, hub, "back"); break;
      case EVENT.DROPPED: stroke(reached ?? time, hub, time, hub, "wait"); stroke(time, hub, time, hub, "drop"); break;
    }
  });
  if (written !== null) stroke(written, hub, Math.min(data.end, written + (view.to - view.from) * 0.02), link, "lost");
}

function draw() {
  const { context, width, height } = fit(canvas);
  lay(width, height);
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, width, height);
  context.font = `11.5px ${colours.sans}`;
  context.textBaseline = "middle";
  drawLanes(context);
  inside(context, () => { drawOutages(context); drawAxisLines(context); drawLinks(context); });
  const seen = visible();
  inside(context, () => (seen.length > SINGLE_MAX ? drawDensity : drawSingles)(context, seen));
  inside(context, () => { drawEpochs(context); drawReasons(context); });
  inside(context, () => drawCharts(context));
  drawNames(context, seen.length);
  drawOverview();
}

function inside(context, body) {
  context.save();
  context.beginPath();
  context.rect(layout.left, 0, layout.right - layout.left, layout.height);
  context.clip();
  body();
  context.restore();
}

function drawLanes(context) {
  const { left, right, modules, lane, hub, cloud } = layout;
  laneNames.forEach((_, at) => {
    if (at % 2 === 0) { context.fillStyle = colours.lane; context.fillRect(left, modules + at * lane, right - left, lane); }
  });
  context.strokeStyle = colours.line;
  for (const y of [...laneNames.map((_, at) => moduleY(at)), hub, cloud]) line(context, left, y, right, y);
}

function line(context, x0, y0, x1, y1) {
  context.beginPath(); context.moveTo(x0, y0); context.lineTo(x1, y1); context.stroke();
}

/* Ticks at round times, about one for each 110 pixels. */
function ticks() {
  const wanted = (view.to - view.from) / Math.max(2, (layout.right - layout.left) / 110);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= wanted);
  const found = [];
  for (let at = Math.ceil((view.from + data.begin_us) / step); at * step <= view.to + data.begin_us; at++) found.push(at * step);
  const digits = Math.max(0, Math.min(6, 6 - Math.floor(Math.log10(step) + 1e-9)));
  return { found, digits };
}

function drawAxisLines(context) {
  const { found, digits } = ticks();
  context.textAlign = "center";
  for (const absolute of found) {
    const x = xOf(absolute - data.begin_us);
    context.strokeStyle = colours.line;
    line(context, x, AXIS - 4, x, layout.height);
    context.fillStyle = colours.soft;
    const text = `${(absolute / 1e6).toFixed(digits)} s`;
    const half = context.measureText(text).width / 2;
    if (x - half > layout.left && x + half < layout.right) context.fillText(text, x, AXIS / 2);
  }
}

function drawOutages(context) {
  for (const { from, to } of outages) {
    if (to < view.from || from > view.to) continue;
    const x0 = Math.max(layout.left, xOf(from)), x1 = Math.min(layout.right, xOf(to));
    context.globalAlpha = 0.09;
    context.fillStyle = colours.outage;
    context.fillRect(x0, AXIS, Math.max(1, x1 - x0), layout.height - AXIS);
    context.globalAlpha = 1;
  }
}

/* What outages were, above the attempts to end them. */
function drawReasons(context) {
  context.textAlign = "center";
  context.font = `11.5px ${colours.sans}`;
  context.fillStyle = colours.outage;
  for (const { from, to, why } of outages) {
    if (to < view.from || from > view.to) continue;
    const x0 = Math.max(layout.left, xOf(from)), x1 = Math.min(layout.right, xOf(to));
    const short = length(to - from), texts = [`no link for ${short}: ${why}`, `no link for ${short}`, short];
    const text = texts.find((text) => context.measureText(text).width + 8 < x1 - x0);
    if (text) context.fillText(text, (x0 + x1) / 2, layout.link - 15);
  }
}

function drawLinks(context) {
  const thick = Math.min(18, layout.lane * 0.55);
  for (const [epoch, up, down] of data.links) {
    const end = down ?? data.end;
    if (end < view.from || up > view.to) continue;
    const x0 = Math.max(layout.left - 9, xOf(up)), x1 = Math.min(layout.right + 9, xOf(end));
    context.fillStyle = colours.link;
    context.globalAlpha = 0.2;
    context.beginPath(); context.roundRect(x0, layout.link - thick / 2, Math.max(2, x1 - x0), thick, 4); context.fill();
    context.globalAlpha = 1;
  }
  context.strokeStyle = colours.outage;
  for (const [at] of data.attempts) {
    const x = xOf(at);
    if (x < layout.left || x > layout.right) continue;
    line(context, x - 3, layout.link - 3, x + 3, layout.link + 3); line(context, x - 3, layout.link + 3, x + 3, layout.link - 3);
  }
}

/* The names of links, over what crosses them. */
function drawEpochs(context) {
  context.textAlign = "left";
  context.font = `600 11px ${colours.sans}`;
  for (const [epoch, up, down] of data.links) {
    const x0 = Math.max(layout.left, xOf(up)), x1 = Math.min(layout.right, xOf(down ?? data.end));
    const text = `epoch ${epoch}`, wide = context.measureText(text).width + 14;
    if (x1 - x0 < wide + 4) continue;
    context.fillStyle = colours.panel;
    context.strokeStyle = colours.link;
    context.beginPath(); context.roundRect(x0 + 4, layout.link - 9, wide, 18, 9); context.fill(); context.stroke();
    context.fillStyle = colours.link;
    context.fillText(text, x0 + 11, layout.link + 0.5);
  }
}

const colourOf = (at) => messages.fate[at] === 1 ? colours.bad : messages.fate[at] === 2 ? colours.wait
  : messages.direction[at] === 0 ? colours.up : colours.down;

function drawSingles(context, seen) {
  const alpha = Math.max(0.26, Math.min(0.9, 120 / Math.max(1, seen.length)));
  const wide = seen.length > 600 ? 0.8 : seen.length > 150 ? 1 : 1.3;
  for (const at of seen) if (at !== view.chosen && at !== view.hovered) drawMessage(context, at, colourOf(at), alpha, wide);
  for (const at of [view.hovered, view.chosen]) if (at >= 0) drawMessage(context, at, at === view.chosen ? colours.chosen : colourOf(at), 1, 2.4);
}

function drawMessage(context, at, colour, alpha, wide) {
  context.strokeStyle = context.fillStyle = colour;
  strokes(at, (t0, y0, t1, y1, kind) => {
    const x0 = xOf(t0), x1 = xOf(t1);
    if (x1 < layout.left - 20 || x0 > layout.right + 20) return;
    context.globalAlpha = kind === "wait" ? alpha * 0.55 : alpha;
    context.lineWidth = kind === "wait" ? wide + 1.6 : wide;
    context.setLineDash(kind === "lost" || kind === "back" ? [4, 3] : []);
    if (kind === "drop") return cross(context, x0, y0, colour);
    if (kind === "lost") { line(context, x0, y0, x1, y1); return cross(context, x1, y1, colours.bad); }
    line(context, x0, y0, x1, y1);
    if (kind !== "go") return;
    context.globalAlpha = Math.min(1, alpha * 1.8);
    head(context, x0, y0, x1, y1, wide > 2 ? 8 : wide < 1 ? 4 : 6);
    // Where it comes from.
    context.beginPath(); context.arc(x0, y0, wide > 2 ? 3 : wide < 1 ? 1.5 : 2, 0, 7); context.fill();
  });
  context.setLineDash([]);
  context.globalAlpha = 1;
  context.lineWidth = 1;
}

function cross(context, x, y, colour) {
  context.save();
  context.setLineDash([]);
  context.strokeStyle = colour; context.lineWidth = 2; context.globalAlpha = 1;
  line(context, x - 4, y - 4, x + 4, y + 4); line(context, x - 4, y + 4, x + 4, y - 4);
  context.restore();
}

function head(context, x0, y0, x1, y1, size) {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  context.beginPath();
  context.moveTo(x1, y1);
  for (const side of [-0.42, 0.42]) context.lineTo(x1 - size * Math.cos(angle + side), y1 - size * Math.sin(angle + side));
  context.fill();
}

/* Counts the strokes of each kind in each column of pixels, and draws each column as strong as it is full. */
function drawDensity(context, seen) {
  const columns = Math.ceil(layout.right - layout.left) + 1;
  const rows = new Map();
  const hues = ["up", "down", "wait", "bad"];
  const add = (colour, y0, y1, x0, x1) => {
    // A number is found faster than a text, and this is asked for each stroke.
    const key = (hues.indexOf(colour) * 8192 + Math.round(y0)) * 8192 + Math.round(y1);
    let row = rows.get(key);
    if (!row) rows.set(key, row = { colour, y0, y1, counts: new Uint32Array(columns), most: 0 });
    const from = Math.max(0, Math.round(x0 - layout.left)), to = Math.min(columns - 1, Math.round(x1 - layout.left));
    for (let column = from; column <= to; column++) row.most = Math.max(row.most, ++row.counts[column]);
  };
  const crosses = new Set();
  for (const at of seen) {
    const colour = messages.fate[at] === 1 ? "bad" : messages.direction[at] === 0 ? "up" : "down";
    strokes(at, (t0, y0, t1, y1, kind) => {
      const x0 = xOf(t0), x1 = xOf(t1);
      if (x1 < layout.left || x0 > layout.right) return;
      if (kind === "drop") { crosses.add(Math.round(x0)); return; }
      if (kind === "lost") add("bad", layout.hub, layout.link, x1, x1);
      else if (kind === "wait") add("wait", layout.hub - 2, layout.hub + 2, x0, x1);
      else if (y0 === layout.hub && y1 === layout.cloud) add(colour, y0, y1, x1, x1);
      else add(colour, Math.min(y0, y1), Math.max(y0, y1), x0, x0);
    });
  }
  for (const { colour, y0, y1, counts, most } of rows.values()) {
    context.fillStyle = colours[colour];
    for (let column = 0; column < columns; column++) {
      if (counts[column] === 0) continue;
      context.globalAlpha = 0.14 + 0.62 * Math.sqrt(counts[column] / most);
      context.fillRect(layout.left + column, y0, 1, y1 - y0);
    }
  }
  context.globalAlpha = 1;
  for (const x of crosses) cross(context, x, layout.hub, colours.bad);
  for (const at of [view.hovered, view.chosen]) if (at >= 0) drawMessage(context, at, colours.chosen, 1, 2.4);
}

/* For each column of pixels the largest value of a chart's points in it; a step lasts until the next one. */
function columnsOf(points, value, steps) {
  const columns = new Float64Array(Math.ceil(layout.right - layout.left) + 1).fill(-1);
  const first = Math.max(0, lowerBound(points, view.from, (point) => point[0]) - 1);
  for (let at = first; at < points.length && points[at][0] <= view.to; at++) {
    const from = Math.round(xOf(points[at][0]) - layout.left);
    const next = at + 1 < points.length ? points[at + 1][0] : data.end;
    const to = steps ? Math.round(xOf(Math.min(next, view.to)) - layout.left) : from;
    for (let column = Math.max(0, from); column <= Math.min(to, columns.length - 1); column++) {
      columns[column] = Math.max(columns[column], value(points[at]));
    }
  }
  return columns;
}

function drawCharts(context) {
  const { left, right, half, depth, rtt } = layout;
  const total = columnsOf(data.depth, (point) => point[1] + point[2], true);
  const queued = columnsOf(data.depth, (point) => point[1], true);
  const most = Math.max(1, ...total);
  const area = (columns, colour) => {
    context.fillStyle = colour;
    columns.forEach((value, column) => {
      const tall = value / most * (half - 14);
      if (value > 0) context.fillRect(left + column, depth + half - tall, 1, tall);
    });
  };
  area(total, colours.unconfirmed);
  area(queued, colours.queued);
  const trips = columnsOf(data.rtt, (point) => point[1], false);
  const slowest = Math.max(1, ...trips);
  context.fillStyle = colours.rtt;
  trips.forEach((value, column) => {
    if (value < 0) return;
    const y = rtt + half - value / slowest * (half - 16) - 2;
    context.globalAlpha = 0.28; context.fillRect(left + column - 0.5, y, 1, rtt + half - y);
    context.globalAlpha = 1; context.beginPath(); context.arc(left + column, y, 1.8, 0, 7); context.fill();
  });
  context.strokeStyle = colours.line;
  for (const y of [depth + half, rtt + half]) line(context, left, y, right, y);
  layout.most = most;
  layout.slowest = trips.some((value) => value >= 0) ? slowest : null;
}

function drawNames(context, seen) {
  const { lane, hub, link, cloud, depth, rtt, half, left } = layout;
  context.textAlign = "right";
  const name = (text, y, colour, bold) => {
    context.font = `${bold ? "600 " : ""}${Math.min(12, Math.max(8, lane * 0.75))}px ${colours.sans}`;
    context.fillStyle = colour;
    let short = text;
    while (short.length > 3 && context.measureText(short).width > left - 22) short = `${short.slice(0, -2)}…`;
    context.fillText(short, left - 12, y);
  };
  laneNames.forEach((text, at) => name(text, moduleY(at), colours.ink));
  name("hub", hub, colours.ink, true);
  name("link", link, colours.link, true);
  name("cloud", cloud, colours.ink, true);
  context.font = `11px ${colours.sans}`;
  const label = (text, y, colour) => { context.fillStyle = colour; context.fillText(text, left - 12, y); };
  context.font = `600 12px ${colours.sans}`;
  label("outbox", depth + half - 48, colours.ink);
  label("round trip", rtt + half - 20, colours.ink);
  context.font = `11px ${colours.sans}`;
  label(`most ${thousands(layout.most)}`, depth + half - 33, colours.soft);
  label("unconfirmed", depth + half - 18, colours.unconfirmed);
  label("queued", depth + half - 4, colours.queued);
  label(layout.slowest === null ? "none here" : `most ${length(layout.slowest)}`, rtt + half - 5, colours.soft);
  context.textAlign = "left";
  context.fillStyle = colours.soft;
  context.fillText(`${thousands(seen)} messages`, 12, AXIS / 2);
}

/* The whole trace: how much happened when, outages, and the window. */
function drawOverview() {
  const { context, width, height } = fit(overview);
  const left = GUTTER, wide = width - PAD - left;
  const x = (time) => left + time / span * wide;
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, width, height);
  context.fillStyle = colours.outage;
  context.globalAlpha = 0.16;
  for (const { from, to } of outages) context.fillRect(x(from), 0, Math.max(1, x(to) - x(from)), height);
  context.globalAlpha = 1;
  const { up, down, dropped, most } = busy(Math.max(1, Math.floor(wide)));
  const tall = height - 10;
  for (let column = 0; column < up.length; column++) {
    const scale = (value) => Math.sqrt(value / most) * tall;
    const both = scale(up[column] + down[column]), lower = up[column] + down[column] ? both * up[column] / (up[column] + down[column]) : 0;
    context.fillStyle = colours.up; context.fillRect(left + column, height - lower, 1, lower);
    context.fillStyle = colours.down; context.fillRect(left + column, height - both, 1, both - lower);
    if (dropped[column]) { context.fillStyle = colours.bad; context.fillRect(left + column, 0, 1.5, 5); }
  }
  context.fillStyle = colours.ink;
  context.globalAlpha = 0.1;
  context.fillRect(left, 0, x(view.from) - left, height);
  context.fillRect(x(view.to), 0, left + wide - x(view.to), height);
  context.globalAlpha = 1;
  context.strokeStyle = colours.ink;
  context.strokeRect(x(view.from) + 0.5, 0.5, Math.max(2, x(view.to) - x(view.from)) - 1, height - 1);
  context.font = `11px ${colours.sans}`;
  context.textAlign = "right"; context.textBaseline = "middle";
  context.fillStyle = colours.soft;
  context.fillText("whole trace", left - 12, height / 2 - 7);
  context.fillText(length(data.end), left - 12, height / 2 + 7);
}

let busyColumns = null;
function busy(columns) {
  if (busyColumns && busyColumns.up.length === columns) return busyColumns;
  const up = new Uint32Array(columns), down = new Uint32Array(columns), dropped = new Uint8Array(columns);
  let most = 1;
  for (let at = 0; at < count; at++) {
    const column = Math.min(columns - 1, Math.floor(begins[at] / span * columns));
    (messages.direction[at] === 0 ? up : down)[column]++;
    if (messages.fate[at] === 1) dropped[column] = 1;
    most = Math.max(most, up[column] + down[column]);
  }
  return busyColumns = { up, down, dropped, most };
}
