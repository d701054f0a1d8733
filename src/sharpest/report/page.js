"use strict";

const root = document.documentElement;
root.classList.add("js");
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const one = (selector, from = document) => from.querySelector(selector);
const press = (button, pressed) => button.setAttribute("aria-pressed", pressed);
const say = (text) => { one("#status").textContent = text; };

/* Theme: that of the system until the reader chooses one. */
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
const onTheme = [];

function showTheme() {
  root.toggleAttribute("data-dark", isDark());
  press(one(".theme"), isDark());
  onTheme.forEach((act) => act());
}

one(".theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
});
systemDark.addEventListener("change", showTheme);

/* Show only claims with one verdict; hide items that have none. */
const rows = all(".claims tbody tr");

function filterClaims(verdict) {
  const shown = (row) => !verdict || row.dataset.verdict === verdict;
  rows.forEach((row) => { row.hidden = !shown(row); });
  const any = (element) => !verdict || all(".claims tbody tr", element).some(shown);
  const items = all(".item");
  items.forEach((item) => { item.hidden = !any(item); });
  all(".claims").forEach((table) => { table.hidden = !any(table); });
  all(".more").forEach((more) => {
    more.hidden = !any(more);
    more.open = Boolean(verdict) && !more.hidden;
  });
  all("[data-filter]").forEach((button) => press(button, button.dataset.filter === verdict));
  const count = rows.filter(shown).length;
  say(`${count} of ${rows.length} claims, about ${items.filter((item) => !item.hidden).length} of ${items.length} items`);
}

all("[data-filter]").forEach((button) => button.addEventListener("click", () => filterClaims(button.dataset.filter)));

/* A link to a hidden element clears all filters. */
function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && (target.hidden || target.closest("[hidden]"))) {
    filterClaims("");
    findRuns("");
    target.scrollIntoView();
  }
}

addEventListener("hashchange", reveal);

/* Sorting: numbers by value, with missing ones last; text alphabetically. */
function compare(a, b) {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? 1 : -1;
  return Number.isNaN(Number(a - b)) ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
}

all(".sortable th button").forEach((button) => button.addEventListener("click", () => {
  const head = button.closest("th");
  const body = one("tbody", head.closest("table"));
  const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  all("th[aria-sort]", head.parentElement).forEach((other) => other.setAttribute("aria-sort", "none"));
  head.setAttribute("aria-sort", order);
  const value = (row) => {
    const cell = row.cells[head.cellIndex];
    return cell.dataset.value ?? cell.textContent.trim();
  };
  const sign = order === "ascending" ? 1 : -1;
  const sorted = [...body.rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    return compare(left, right) * (left === "" || right === "" ? 1 : sign);
  });
  body.append(...sorted);
  say(`sorted by ${button.textContent}, ${order}`);
}));

/* Find runs by words in their row. */
const runs = all(".run-table tbody tr");

function findRuns(text) {
  const parts = text.toLowerCase().split(/\s+/).filter(Boolean);
  runs.forEach((row) => {
    const content = row.textContent.toLowerCase();
    row.hidden = !parts.every((part) => content.includes(part));
  });
  one("#find").value = text;
  one("#found").textContent = parts.length ? `${runs.filter((row) => !row.hidden).length} of ${runs.length} runs` : "";
}

one("#find").addEventListener("input", (event) => findRuns(event.target.value));

/* Show a figure at full size. */
const dialog = one("#large");

all(".enlarge").forEach((button) => button.addEventListener("click", () => {
  const item = button.closest(".item");
  const small = one("img", button);
  Object.assign(one("img", dialog), { src: small.src, alt: small.alt });
  one("h2", dialog).textContent = one("h3", item).textContent;
  one("p", dialog).textContent = one("figcaption", item).textContent;
  dialog.showModal();
}));
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

/* Mark the current section in the contents. */
const links = new Map(all(".side a[href^='#']").map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-10% 0px -80% 0px" });
all(".item, main > section:not(:has(.item)), main > header").forEach((place) => seen.observe(place));

/* Open all details for printing. */
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("main .more:not([open])");
  closed.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));

/* The explorer. */
const explorer = JSON.parse(one("#curves").textContent);
const COLOURS = {
  light: ["#b0281f", "#1a7340", "#22559c", "#8a5f00", "#7a3e9d", "#0f7c86", "#5d6168"],
  dark: ["#f08a80", "#6fc492", "#8db8f2", "#dcb05a", "#c79be0", "#5fc4cd", "#a3a7ae"],
};
const DASHES = [[], [6, 4], [2, 3]];
const state = { panel: 0, log: true, hidden: new Set(), plot: null };

const colour = (index) => {
  const palette = COLOURS[isDark() ? "dark" : "light"];
  return palette[index % palette.length];
};
const dashes = (index) => DASHES[Math.floor(index / COLOURS.light.length) % DASHES.length];
const short = (value) => (value == null ? "" : Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }));
const curvesShown = () => explorer.panels[state.panel].curves.map((curve) => ({ ...curve, ...explorer.curves[curve.key] }));

/* Curves are measured at different times, so the cursor takes the nearest point of each. */
function nearest(plot, series, hovered) {
  const values = plot.data[series];
  for (let step = 0; step < values.length; step += 1) {
    const candidates = [hovered - step, hovered + step].filter((at) => values[at] != null);
    if (candidates.length) {
      const distance = (at) => Math.abs(plot.data[0][at] - plot.posToVal(plot.cursor.left, "x"));
      return candidates.sort((a, b) => distance(a) - distance(b))[0];
    }
  }
  return null;
}

function showValues(plot) {
  const at = plot.cursor.idxs ?? [];
  all("#legend .value").forEach((shown, index) => {
    const place = plot.cursor.left >= 0 && !state.hidden.has(index) ? at[index + 1] : null;
    shown.textContent = place == null ? "" : `${short(plot.data[index + 1][place])} at ${short(plot.data[0][place])}`;
  });
}

function drawPlot() {
  const curves = curvesShown();
  const box = one("#plot");
  state.plot?.destroy();
  const visible = (value) => (state.log && !(value > 0) ? null : value);
  const data = uPlot.join(curves.map((curve) => [curve.epoch, curve.value.map(visible)]));
  const style = getComputedStyle(box);
  const [ink, grid] = [getComputedStyle(one(".quiet")).color, getComputedStyle(one("td")).borderBottomColor];
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "12px system-ui", labelFont: "13px system-ui", labelSize: 22 };
  state.plot = new uPlot({
    width: box.clientWidth,
    height: parseFloat(style.height),
    legend: { show: false },
    cursor: { y: false, dataIdx: (plot, series, hovered) => (series ? nearest(plot, series, hovered) : hovered), points: { size: 7 } },
    scales: { x: { time: false }, y: state.log ? { distr: 3 } : {} },
    axes: [{ ...axis, label: "epoch" }, { ...axis, label: "λₘₐₓ", size: 64, values: (plot, ticks) => ticks.map(short) }],
    series: [{}, ...curves.map((curve, index) => ({
      label: curve.label,
      show: !state.hidden.has(index),
      stroke: colour(index),
      dash: dashes(index),
      width: 1.6,
      spanGaps: true,
      points: { show: curve.points < 60, size: 4 },
    }))],
    hooks: { setCursor: [showValues] },
  }, data, box);
}

function toggleCurve(index, shown) {
  state.hidden[shown ? "delete" : "add"](index);
  press(all("#legend button")[index], shown);
  state.plot.setSeries(index + 1, { show: shown });
}

const SVG = "http://www.w3.org/2000/svg";

function sample(index) {
  const line = document.createElementNS(SVG, "line");
  const set = { x1: 0, x2: 26, y1: 8, y2: 8, stroke: colour(index), "stroke-width": 2.5, "stroke-dasharray": dashes(index).join(" ") };
  Object.entries(set).forEach(([name, value]) => line.setAttribute(name, value));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 26 16");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  return svg;
}

function element(name, text = "", classes = "") {
  return Object.assign(document.createElement(name), { textContent: text, className: classes });
}

function drawLegend() {
  one("#legend").replaceChildren(...curvesShown().map((curve, index) => {
    const missed = curve.missed ? `, ${curve.missed} of ${curve.points} points above the tolerance` : "";
    const button = element("button");
    button.type = "button";
    press(button, !state.hidden.has(index));
    button.append(sample(index), element("span", curve.label), element("span", "", "value"), element("code", curve.run + missed));
    button.addEventListener("click", () => toggleCurve(index, state.hidden.has(index)));
    const entry = element("li");
    entry.append(button);
    return entry;
  }));
}

function drawExplorer() {
  drawLegend();
  drawPlot();
  one("#plot").setAttribute("aria-label", `Largest eigenvalue against epoch, ${explorer.panels[state.panel].title}`);
}

function choosePanel(index) {
  Object.assign(state, { panel: index, hidden: new Set() });
  one("#panel").value = index;
  drawExplorer();
}

if (explorer.panels.length) {
  one("#panel").append(...explorer.panels.map((panel, index) => new Option(panel.title, index)));
  one("#panel").addEventListener("change", (event) => choosePanel(Number(event.target.value)));
  all("[data-axis]").forEach((button) => button.addEventListener("click", () => {
    state.log = button.dataset.axis === "log";
    all("[data-axis]").forEach((other) => press(other, other === button));
    drawPlot();
  }));
  all("[data-all]").forEach((button) => button.addEventListener("click", () => {
    curvesShown().forEach((_, index) => toggleCurve(index, button.dataset.all === "on"));
  }));
  all("[data-explore]").forEach((link) => link.addEventListener("click", () => {
    choosePanel(explorer.panels.findIndex((panel) => panel.item === link.dataset.explore));
  }));
  onTheme.push(drawExplorer);
  new ResizeObserver(() => state.plot?.setSize({ width: one("#plot").clientWidth, height: one("#plot").clientHeight })).observe(one("#plot"));
}
showTheme();
reveal();
