"use strict";
(function () {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const charts = read("charts");
  const modebar = { displayModeBar: false, responsive: false, staticPlot: false, scrollZoom: false };
  for (const [id, spec] of Object.entries(charts)) {
    const home = document.getElementById("chart-" + id);
    if (home) Plotly.newPlot(home, spec.data, spec.layout, modebar);
  }

  const data = read("places-data");
  if (!data) return;
  const { heads, kinds, columns } = data;
  const size = columns[0].length;
  const group = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
  const pence = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const pounds = (value) => (value < 0 ? "-£" : "£") + group.format(Math.abs(value));
  const write = {
    text: String,
    gbp: pounds,
    pct: (value) => value.toFixed(2) + "%",
    count: (value) => group.format(value),
    number: String,
    index: (value) => value.toFixed(4),
    per_head: (value) => (value < 0 ? "-£" : "£") + pence.format(Math.abs(value)),
  };
  const said = (column, row) => {
    const value = columns[column][row];
    return value === null ? "–" : write[kinds[column]](value);
  };

  const svg = document.querySelector("svg.map");
  const card = document.querySelector(".card");
  const marks = new Map();
  if (svg) {
    for (const mark of svg.querySelectorAll("circle[data-i]")) {
      const number = Number(mark.dataset.i);
      if (!marks.has(number)) marks.set(number, []);
      marks.get(number).push(mark);
    }
  }
  let shown = [];
  function show(row) {
    if (!card) return;
    card.replaceChildren();
    const title = document.createElement("strong");
    title.textContent = said(0, row) + " " + said(1, row);
    card.append(title);
    for (let column = 2; column < heads.length; column += 1) {
      const line = document.createElement("span");
      const name = document.createElement("i");
      name.textContent = heads[column];
      const value = document.createElement("b");
      value.textContent = said(column, row);
      line.append(name, value);
      card.append(line);
    }
    card.hidden = false;
    for (const mark of shown) mark.classList.remove("here");
    shown = marks.get(row) || [];
    for (const mark of shown) mark.classList.add("here");
  }
  function tellOf(words) {
    const [title, ...rest] = words.split("; ");
    const head = document.createElement("strong");
    head.textContent = title;
    card.replaceChildren(head, ...rest.map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    }));
    card.hidden = false;
  }
  if (svg) {
    svg.addEventListener("pointerover", (event) => {
      const number = event.target.dataset ? event.target.dataset.i : undefined;
      const words = event.target.dataset ? event.target.dataset.words : undefined;
      if (number !== undefined) show(Number(number));
      else if (words !== undefined) tellOf(words);
    });
    const whole = svg.getAttribute("viewBox").split(" ").map(Number);
    let view = whole.slice();
    const set = () => svg.setAttribute("viewBox", view.map((value) => value.toFixed(1)).join(" "));
    const scale = (factor, x, y) => {
      const width = Math.min(whole[2], Math.max(28, view[2] * factor));
      const height = (width * whole[3]) / whole[2];
      view = [x - ((x - view[0]) * width) / view[2], y - ((y - view[1]) * height) / view[3], width, height];
      if (width === whole[2]) view = whole.slice();
      svg.style.setProperty("--shrink", view[2] / whole[2]);
      set();
    };
    const middle = () => [view[0] + view[2] / 2, view[1] + view[3] / 2];
    document.querySelectorAll("[data-zoom]").forEach((button) =>
      button.addEventListener("click", () => {
        const spot = shown.length ? shown[0].getBBox() : null;
        const [x, y] = spot ? [spot.x + spot.width / 2, spot.y + spot.height / 2] : middle();
        if (button.dataset.zoom === "all") scale(99, ...middle());
        else scale(button.dataset.zoom === "in" ? 0.5 : 2, x, y);
      })
    );
    let from = null;
    svg.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; });
    window.addEventListener("pointerup", () => { from = null; });
    svg.addEventListener("pointermove", (event) => {
      if (!from || view[2] === whole[2]) return;
      const step = view[2] / svg.clientWidth;
      view[0] -= (event.clientX - from[0]) * step;
      view[1] -= (event.clientY - from[1]) * step;
      from = [event.clientX, event.clientY];
      set();
    });
  }

  const table = document.getElementById("places-table");
  const body = table.tBodies[0];
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  document.querySelectorAll(".tools").forEach((one) => { one.hidden = false; });
  const words = Array.from({ length: size }, (_, row) =>
    kinds.map((kind, column) => (kind === "text" ? columns[column][row] || "" : "")).join(" ").toLowerCase()
  );
  const fresh = body.innerHTML;
  let order = null;
  let limit = 40;
  let sorted = null;
  function fill() {
    if (order === null) { body.innerHTML = fresh; link(); tell(size); return; }
    const rows = order.slice(0, limit).map((row) => {
      const line = document.createElement("tr");
      heads.forEach((_, column) => {
        const cell = document.createElement(column ? "td" : "th");
        cell.className = kinds[column];
        if (!column) {
          cell.scope = "row";
          cell.append(button(row));
        } else cell.textContent = said(column, row);
        line.append(cell);
      });
      return line;
    });
    body.replaceChildren(...rows);
    tell(order.length);
  }
  function button(row) {
    const one = document.createElement("button");
    one.type = "button";
    one.textContent = said(0, row);
    one.addEventListener("click", () => show(row));
    return one;
  }
  const index = new Map(columns[0].map((code, row) => [String(code), row]));
  function link() {
    for (const cell of body.querySelectorAll("th")) {
      const row = index.get(cell.textContent);
      if (row !== undefined) cell.replaceChildren(button(row));
    }
  }
  function tell(found) {
    const standing = body.rows.length;
    count.textContent = group.format(found) + (found === 1 ? " place, " : " places, ") + group.format(standing) + " shown";
    more.hidden = order === null || order.length <= limit;
  }
  function look() {
    const wanted = search.value.trim().toLowerCase();
    if (!wanted && sorted === null) { order = null; fill(); return; }
    const rows = [];
    for (let row = 0; row < size; row += 1) if (!wanted || words[row].includes(wanted)) rows.push(row);
    if (sorted !== null) rows.sort(by(sorted.column, sorted.down));
    order = rows;
    fill();
  }
  function by(column, down) {
    const values = columns[column];
    return (a, b) => {
      const [x, y] = [values[a], values[b]];
      if (x === y) return a - b;
      if (x === null) return 1;
      if (y === null) return -1;
      return (x < y ? -1 : 1) * (down ? -1 : 1);
    };
  }
  search.addEventListener("input", () => { limit = 40; look(); });
  more.addEventListener("click", () => { limit += 200; fill(); });
  table.tHead.querySelectorAll("button").forEach((one) =>
    one.addEventListener("click", () => {
      const column = Number(one.dataset.column);
      const same = sorted && sorted.column === column;
      sorted = { column, down: same ? !sorted.down : kinds[column] !== "text" };
      table.tHead.querySelectorAll("th").forEach((head, at) =>
        head.setAttribute("aria-sort", at === column ? (sorted.down ? "descending" : "ascending") : "none")
      );
      limit = 40;
      look();
    })
  );
  link();
  tell(size);
})();
