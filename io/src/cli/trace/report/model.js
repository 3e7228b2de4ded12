"use strict";
/* The data of the page, ready to be asked: columns with an entry for each message, in the order of their begins. */

const EVENT = { SENT: 0, MADE: 1, THERE: 2, WRITTEN: 3, COVERED: 4, CONFIRMED: 5, LOST: 6, REQUEST_ENDED: 7, RECEIVED: 8,
  IGNORED: 9, WAITS: 10, DELIVERED: 11, ACKNOWLEDGED: 12, DROPPED: 13 };
const FATES = ["arrived", "dropped", "pending"];

const data = JSON.parse(document.getElementById("data").textContent);
const messages = data.messages;
const count = messages.id.length;

/* Begin and end of each message, and the longest of them: what can be seen in a window is found by halving. */
const begins = new Float64Array(count);
const ends = new Float64Array(count);
let longest = 0;
for (let at = 0; at < count; at++) {
  let time = 0;
  const events = messages.events[at];
  for (let event = 0; event < events.length; event += 4) {
    time += events[event];
    if (event === 0) begins[at] = time;
  }
  ends[at] = time;
  longest = Math.max(longest, time - begins[at]);
}

/* Calls `visit(time, kind, lane, words)` for each event of a message. */
function eachEvent(at, visit) {
  const events = messages.events[at];
  let time = 0;
  for (let event = 0; event < events.length; event += 4) {
    time += events[event];
    visit(time, events[event + 1], events[event + 2], events[event + 3]);
  }
}

/* The first place in an ordered column whose value is not below. */
function lowerBound(column, value, key = (entry) => entry) {
  let low = 0, high = column.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(column[middle]) < value) low = middle + 1; else high = middle;
  }
  return low;
}

/* Times without a link, the time before the first one included. */
const outages = [];
{
  let since = 0, why = "no link yet";
  for (const [, up, down, reason] of data.links) {
    if (up > since) outages.push({ from: since, to: up, why });
    since = down === null ? Infinity : down;
    why = reason;
  }
  if (since < data.end) outages.push({ from: since, to: data.end, why });
}
const span = Math.max(data.end, 1000);
const downtime = outages.reduce((sum, outage) => sum + outage.to - outage.from, 0);

function route(at) {
  const [title, source, group] = data.routes[messages.route[at]].split("\n");
  return { title, source, group };
}

/* A length of time with three digits. */
function length(micros) {
  if (micros === null || micros === undefined) return "–";
  const units = [[1, "µs"], [1e3, "ms"], [1e6, "s"], [60e6, "min"], [3600e6, "h"], [86400e6, "d"]];
  let unit = units[0];
  for (const next of units) if (Math.abs(micros) >= next[0]) unit = next;
  const number = micros / unit[0];
  const digits = unit[0] === 1 || Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return `${Number(number.toFixed(digits))} ${unit[1]}`;
}

/* A moment on the hub's clock, in seconds. */
function moment(micros, digits = 6) {
  return `${((micros + data.begin_us) / 1e6).toFixed(digits)} s`;
}

const thousands = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");
