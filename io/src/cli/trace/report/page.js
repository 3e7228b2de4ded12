/* What can be done with the page: moving, zooming, choosing, finding. */

const side = document.getElementById("side");
const tip = document.getElementById("tip");
const query = document.getElementById("query");

/* An element with texts and children; texts are never taken for markup. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

let wanted = false;
function redraw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(() => { wanted = false; draw(); });
}

/* Shows this window, as much of it as there is; not less than ten microseconds. */
function show(from, to) {
  const wide = Math.min(Math.max(to - from, 10), span * 1.02);
  const begin = Math.min(Math.max(from, -span * 0.01), span * 1.01 - wide);
  [view.from, view.to] = [begin, begin + wide];
  redraw();
}

function zoom(factor, at = (view.from + view.to) / 2) {
  show(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

function move(share) {
  const by = (view.to - view.from) * share;
  show(view.from + by, view.to + by);
}

/* The message nearest to a place on the canvas. */
function nearest(x, y) {
  let found = -1, least = 49;
  for (const at of visible()) {
    strokes(at, (t0, y0, t1, y1) => {
      const x0 = xOf(t0), x1 = xOf(t1);
      const along = (x1 - x0) ** 2 + (y1 - y0) ** 2;
      const share = along === 0 ? 0 : Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / along));
      const far = (x - x0 - share * (x1 - x0)) ** 2 + (y - y0 - share * (y1 - y0)) ** 2;
      if (far < least) [found, least] = [at, far];
    });
  }
  return found;
}

function choose(at, into = false) {
  view.chosen = at;
  if (at >= 0 && (into || ends[at] < view.from || begins[at] > view.to)) {
    const room = Math.max((ends[at] - begins[at]) * 0.6, into ? 2000 : (view.to - view.from) / 2);
    show(begins[at] - room, ends[at] + room);
  }
  fillSide();
  redraw();
}

const TINTS = { [EVENT.DROPPED]: "bad", [EVENT.LOST]: "bad", [EVENT.CONFIRMED]: "good", [EVENT.DELIVERED]: "good",
  [EVENT.ACKNOWLEDGED]: "good", [EVENT.WRITTEN]: "go", [EVENT.SENT]: "go", [EVENT.RECEIVED]: "go" };

function fillSide() {
  side.replaceChildren(...(view.chosen >= 0 ? story(view.chosen) : summary()));
  side.scrollTop = 0;
}

function facts(pairs) {
  const list = make("dl", { className: "facts" });
  for (const [name, value] of pairs) if (value) list.append(make("dt", {}, name), make("dd", {}, value));
  return list;
}

/* What became of one message, in the words of `edgehub explain`. */
function story(at) {
  const { title, source, group } = route(at);
  const fate = FATES[messages.fate[at]];
  const close = make("button", { className: "close", title: "Close (Esc)", onclick: () => choose(-1) }, "×");
  const events = make("ol", { className: "story" });
  eachEvent(at, (time, kind, lane, words) => {
    const since = time - begins[at];
    const when = make("time", {}, since === 0 ? moment(time) : `+${length(since)}`);
    when.title = moment(time);
    events.append(make("li", { className: TINTS[kind] ?? "" }, when, data.words[words]));
  });
  const parts = [close, make("h2", {}, title), make("p", { className: "id" }, messages.id[at]),
    make("span", { className: `badge ${fate}` }, data.words[messages.told[at]]),
    facts([["way", messages.direction[at] === 0 ? "to the cloud" : "from the cloud"], ["took", messages.took[at] === null ? "" : length(messages.took[at])],
      ["source", source], ["group", group], ["frame", `${thousands(messages.bytes[at])} bytes`]]),
    make("h3", {}, "What happened"), events];
  const kin = related(at);
  if (kin.length) parts.push(make("h3", {}, "Belongs to it"), list(kin.map((other) => entry(other))));
  return parts;
}

/* The message that this one answers, and its answers. */
function related(at) {
  const found = [];
  const id = messages.id[at], parent = messages.parent[at];
  for (let other = 0; other < count && found.length < 20; other++) {
    if (other !== at && ((parent && messages.id[other] === parent) || (id && messages.parent[other] === id))) found.push(other);
  }
  return found;
}

function list(entries) {
  return make("ul", { className: "list" }, ...entries.map((button) => make("li", {}, button)));
}

function entry(at, what = length(messages.took[at])) {
  const button = make("button", { type: "button", onclick: () => choose(at, true) }, make("b", {}, what), make("span", {}, route(at).title));
  button.title = `${route(at).title}\n${messages.id[at]}`;
  return button;
}

/* What is worth a look, when nothing is chosen. */
function summary() {
  const parts = [make("h3", {}, "Without a link")];
  const gone = outages.slice(0, 50).map(({ from, to, why }) => {
    const room = Math.max((to - from) * 0.4, 1000);
    return make("button", { type: "button", title: why, onclick: () => show(from - room, to + room) }, make("b", {}, length(to - from)), make("span", {}, why));
  });
  parts.push(gone.length ? list(gone) : make("p", { className: "none" }, "never"));
  const dropped = new Map(), all = [];
  for (let at = 0; at < count; at++) {
    if (messages.fate[at] === 1) {
      const why = data.words[messages.told[at]].replace("dropped: ", "");
      if (!dropped.has(why)) dropped.set(why, []);
      dropped.get(why).push(at);
    }
    if (messages.took[at] !== null) all.push(at);
  }
  parts.push(make("h3", {}, "Dropped"));
  for (const [why, some] of dropped) {
    parts.push(make("p", {}, `${thousands(some.length)}: ${why}`), list(some.slice(0, 8).map((at) => entry(at, moment(begins[at], 3)))));
  }
  if (dropped.size === 0) parts.push(make("p", { className: "none" }, "nothing"));
  all.sort((one, other) => messages.took[other] - messages.took[one]);
  parts.push(make("h3", {}, "Took longest"), list(all.slice(0, 12).map((at) => entry(at))));
  if (data.note) parts.unshift(make("h3", {}, "Not all of the trace"), make("p", {}, data.note));
  if (data.damage.length) parts.push(make("h3", {}, "Damage"), ...data.damage.map((text) => make("p", {}, text)));
  parts.push(make("h3", {}, "The trace"), facts([["hub", `edgehub ${data.core}`], ["contents", data.contents], ["inputs", thousands(data.inputs)],
    ["outputs", thousands(data.outputs)], ["size", `${thousands(data.bytes)} bytes`]]));
  return parts;
}

function fillHead() {
  const title = data.node || "edge hub";
  document.title = `${title}: trace`;
  document.getElementById("node").textContent = title;
  const begin = new Date(data.begin_wall_ms);
  const stamp = Number.isNaN(begin.getTime()) ? "" : `${begin.toISOString().slice(0, 19).replace("T", " ")} UTC, `;
  document.getElementById("when").textContent = `${stamp}${length(data.end)}`;
  const up = messages.direction.reduce((sum, direction) => sum + (direction === 0), 0);
  const lost = messages.fate.reduce((sum, fate) => sum + (fate === 1), 0);
  const figures = [["to cloud", thousands(up)], ["from cloud", thousands(count - up)], ["dropped", thousands(lost), lost ? "bad" : ""],
    ["with a link", `${((1 - downtime / span) * 100).toFixed(2)} %`], ["confirmed, half in", length(data.confirmed_after_us[0])],
    ["links", thousands(data.links.length)]];
  document.getElementById("figures").append(...figures.map(([name, value, tint = ""]) =>
    make("div", { className: tint }, make("dt", {}, name), make("dd", {}, value))));
}

/* Messages whose id or route holds the text. */
function find(text) {
  const wanted = text.trim().toLowerCase();
  view.found = null;
  if (wanted) {
    const routes = data.routes.map((route) => route.toLowerCase().includes(wanted));
    view.found = new Set();
    for (let at = 0; at < count; at++) {
      if (routes[messages.route[at]] || messages.id[at].toLowerCase().includes(wanted)) view.found.add(at);
    }
  }
  redraw();
}

function step(by) {
  let at = view.chosen >= 0 ? view.chosen + by : lowerBound(begins, view.from);
  while (at >= 0 && at < count && !isShown(at)) at += by;
  if (at >= 0 && at < count) choose(at);
}

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.offsetX, from: view.from, to: view.to, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (drag) {
    const by = (event.offsetX - drag.x) / (layout.right - layout.left) * (drag.to - drag.from);
    drag.moved ||= Math.abs(event.offsetX - drag.x) > 3;
    if (drag.moved) { canvas.classList.add("moving"); tip.hidden = true; show(drag.from - by, drag.to - by); }
    return;
  }
  hover(event.offsetX, event.offsetY);
});
canvas.addEventListener("pointerup", (event) => {
  canvas.classList.remove("moving");
  if (drag && !drag.moved) choose(nearest(event.offsetX, event.offsetY));
  drag = null;
});
canvas.addEventListener("pointerleave", () => { view.hovered = -1; tip.hidden = true; redraw(); });
canvas.addEventListener("dblclick", (event) => zoom(0.25, timeOf(event.offsetX)));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const unit = event.deltaMode === 1 ? 24 : 1;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return move((event.deltaX || event.deltaY) * unit / 1200);
  zoom(Math.exp(event.deltaY * unit * 0.0016), timeOf(event.offsetX));
}, { passive: false });

let hovering = 0;
function hover(x, y) {
  cancelAnimationFrame(hovering);
  hovering = requestAnimationFrame(() => {
    const at = x < layout.left ? -1 : nearest(x, y);
    canvas.classList.toggle("pointing", at >= 0);
    tip.hidden = at < 0;
    if (at >= 0) {
      tip.replaceChildren(route(at).title, make("small", {}, messages.id[at]),
        make("small", {}, `${data.words[messages.told[at]]}${messages.took[at] === null ? "" : ` after ${length(messages.took[at])}`}`));
      const left = Math.min(x + 14, layout.width - tip.offsetWidth - 8);
      Object.assign(tip.style, { left: `${left}px`, top: `${y + 16 + tip.offsetHeight > layout.height ? y - tip.offsetHeight - 10 : y + 16}px` });
    }
    if (at !== view.hovered) { view.hovered = at; redraw(); }
  });
}

function fromOverview(event) {
  const wide = overview.getBoundingClientRect().width - PAD - GUTTER;
  return (event.offsetX - GUTTER) / wide * span;
}
let brush = null;
overview.addEventListener("pointerdown", (event) => { brush = fromOverview(event); overview.setPointerCapture(event.pointerId); });
overview.addEventListener("pointermove", (event) => {
  if (brush === null) return;
  const now = fromOverview(event);
  if (Math.abs(now - brush) > span / 300) show(Math.min(brush, now), Math.max(brush, now));
});
overview.addEventListener("pointerup", (event) => {
  const now = fromOverview(event);
  if (brush !== null && Math.abs(now - brush) <= span / 300) {
    const half = (view.to - view.from) / 2;
    show(now - half, now + half);
  }
  brush = null;
});

document.getElementById("finder").addEventListener("submit", (event) => { event.preventDefault(); step(1); });
query.addEventListener("input", () => find(query.value));
for (const button of document.querySelectorAll("[data-filter]")) {
  button.addEventListener("click", () => {
    const on = view.show[button.dataset.filter] = !view.show[button.dataset.filter];
    button.setAttribute("aria-pressed", String(on));
    redraw();
  });
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  readColours();
  redraw();
}
document.getElementById("theme").addEventListener("click", toggleTheme);

const KEYS = {
  ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6),
  ArrowUp: () => zoom(0.6), ArrowDown: () => zoom(1 / 0.6), 0: () => show(0, span), Home: () => show(0, span), n: () => step(1), p: () => step(-1), t: toggleTheme,
  "/": () => query.focus(), Escape: () => choose(-1),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === query) { if (event.key === "Escape") { query.value = ""; find(""); canvas.focus(); } return; }
  if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
});
new ResizeObserver(redraw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); redraw(); });

readColours();
fillHead();
fillSide();
show(-span * 0.01, span * 1.01);
