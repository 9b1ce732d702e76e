// Values under the pointer or the arrow keys, and one range of dates for all charts.
"use strict";
(() => {
  const WIDE = 10000, HIGH = 3000, DAY = 864e5, NS = "http://www.w3.org/2000/svg";
  const charts = [...document.querySelectorAll("figure[data-lines]")].map(open);
  const bar = document.querySelector(".range");
  if (!charts.length || !bar) return;
  const first = Math.min(...charts.map((c) => c.at[0]));
  const last = Math.max(...charts.map((c) => c.at[c.at.length - 1]));
  const [from, to] = bar.querySelectorAll("input");
  from.value = from.min = to.min = day(first);
  to.value = to.max = from.max = day(last);
  bar.hidden = false;
  for (const button of bar.querySelectorAll("button")) {
    const years = Number(button.dataset.years);
    button.hidden = years > 0 && last - first < years * 365.25 * DAY;
    button.addEventListener("click", () => {
      const begin = years ? Math.max(first, last - years * 365.25 * DAY) : first;
      from.value = day(begin);
      to.value = day(last);
      show(begin, last, button);
    });
  }
  const typed = () => {
    const low = Date.parse(from.value), high = Date.parse(to.value) + DAY - 1;
    if (low < high) show(low, high, null);
  };
  from.addEventListener("change", typed);
  to.addEventListener("change", typed);

  function show(low, high, pressed) {
    for (const b of bar.querySelectorAll("button")) b.setAttribute("aria-pressed", b === pressed);
    for (const chart of charts) draw(chart, low, high);
  }

  function open(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const at = [];
    data.t.reduce((sum, step) => (at.push((sum + step) * 6e4), sum + step), 0);
    const chart = {
      ...data, at, figure, area: figure.querySelector(".area"), plot: figure.querySelector(".plot"),
      outputs: [...figure.querySelectorAll("output")], time: figure.querySelector("time"),
      lo: 0, hi: at.length - 1, i: -1, shown: data.s, x0: at[0], x1: at[at.length - 1],
    };
    chart.cursor = document.createElement("div");
    chart.cursor.className = "cursor";
    chart.cursor.hidden = true;
    chart.area.append(chart.cursor);
    chart.area.addEventListener("pointermove", (event) => {
      const box = chart.area.getBoundingClientRect();
      const t = chart.x0 + ((event.clientX - box.left) / box.width) * (chart.x1 - chart.x0);
      point(chart, nearest(chart, t));
    });
    chart.area.addEventListener("pointerleave", () => point(chart, -1));
    chart.plot.addEventListener("blur", () => point(chart, -1));
    chart.plot.addEventListener("keydown", (event) => {
      const n = chart.hi - chart.lo, leap = event.shiftKey ? Math.ceil(n / 20) : 1;
      const here = chart.i < 0 ? chart.hi : chart.i;
      const next = {
        ArrowLeft: here - leap, ArrowRight: here + leap, Home: chart.lo, End: chart.hi, Escape: -1,
      }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      point(chart, next < 0 && event.key === "Escape" ? -1 : Math.min(chart.hi, Math.max(chart.lo, next)));
    });
    return chart;
  }

  function nearest(chart, t) {
    let low = chart.lo, high = chart.hi;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (chart.at[middle] < t) low = middle; else high = middle;
    }
    return t - chart.at[low] < chart.at[high] - t ? low : high;
  }

  function point(chart, i) {
    chart.i = i;
    chart.cursor.hidden = i < 0;
    chart.time.textContent = i < 0 ? "" : label(chart, chart.at[i]);
    chart.outputs.forEach((o, k) => {
      const value = i < 0 ? null : chart.shown[k].v[i];
      o.textContent = i < 0 ? "" : value === null ? " –" : " " + text(value, chart.percent, chart.digits);
    });
    if (i >= 0) chart.cursor.style.left = (100 * (chart.at[i] - chart.x0)) / (chart.x1 - chart.x0 || 1) + "%";
  }

  function draw(chart, low, high) {
    const at = chart.at;
    let lo = at.findIndex((t) => t >= low), hi = at.length - 1;
    while (hi > 0 && at[hi] > high) hi--;
    if (lo < 0 || hi <= lo) { lo = 0; hi = at.length - 1; }
    Object.assign(chart, { lo, hi, x0: at[lo], x1: at[hi] });
    chart.shown = chart.growth && lo > 0 ? chart.s.map((s) => since(s, lo)) : chart.s;
    let y0 = Infinity, y1 = -Infinity;
    for (const s of chart.shown)
      for (const v of [s.v, s.l, s.h])
        if (v) for (let i = lo; i <= hi; i++) if (v[i] !== null) { y0 = Math.min(y0, v[i]); y1 = Math.max(y1, v[i]); }
    if (y0 > y1) { y0 = 0; y1 = 1; }
    if (chart.zero) { y0 = Math.min(y0, 0); y1 = Math.max(y1, 0); }
    const pad = (y1 - y0 || Math.abs(y1) || 1) * 0.04;
    y0 -= pad; y1 += pad;
    const px = (t) => (WIDE * (t - chart.x0)) / (chart.x1 - chart.x0);
    const py = (v) => (HIGH * (y1 - v)) / (y1 - y0);
    const paths = chart.figure.querySelectorAll(".line");
    const bands = chart.figure.querySelectorAll(".band");
    let b = 0;
    chart.shown.forEach((s, k) => {
      paths[k].setAttribute("d", path(chart, s.v, px, py));
      if (s.l) bands[b++].setAttribute("d", ribbon(chart, s, px, py));
    });
    const marks = steps(y0, y1), group = chart.figure.querySelector(".grids");
    group.replaceChildren(...marks.at.map((v) => {
      const rule = document.createElementNS(NS, "line");
      rule.setAttribute("class", Math.abs(v) < marks.step / 1e6 ? "zero" : "grid");
      for (const [key, value] of [["x1", 0], ["x2", WIDE], ["y1", py(v)], ["y2", py(v)]]) rule.setAttribute(key, value);
      return rule;
    }));
    const digits = places(chart.percent ? marks.step * 100 : marks.step);
    chart.figure.querySelector(".y").replaceChildren(...marks.at.map((v) => {
      const span = document.createElement("span");
      span.textContent = text(v, chart.percent, digits);
      span.style.top = (100 * py(v)) / HIGH + "%";
      return span;
    }));
    chart.figure.querySelector(".x").replaceChildren(...dates(chart.x0, chart.x1).map(([t, name]) => {
      const span = document.createElement("span"), share = px(t) / WIDE;
      span.textContent = name;
      span.className = share < 0.06 ? "first" : share > 0.94 ? "last" : "";
      span.style.left = 100 * share + "%";
      return span;
    }));
    point(chart, -1);
  }

  function since(s, lo) {  // compound returns counted from the start of the range
    let k = lo;
    while (k > 0 && s.v[k] === null) k--;
    const base = 1 + (s.v[k] ?? 0);
    return { ...s, v: s.v.map((v) => (v === null || base <= 0 ? null : (1 + v) / base - 1)) };
  }

  function path(chart, values, px, py) {
    let d = "", pen = "M";
    for (let i = chart.lo; i <= chart.hi; i++) {
      if (values[i] === null) { pen = "M"; continue; }
      d += pen + px(chart.at[i]).toFixed(0) + " " + py(values[i]).toFixed(0);
      pen = "L";
    }
    return d;
  }

  function ribbon(chart, s, px, py) {
    let d = "", run = [];
    const close = () => {
      if (run.length > 1)
        d += "M" + run.map((i) => px(chart.at[i]).toFixed(0) + " " + py(s.h[i]).toFixed(0)).join("L") + "L" +
          run.reverse().map((i) => px(chart.at[i]).toFixed(0) + " " + py(s.l[i]).toFixed(0)).join("L") + "Z";
      run = [];
    };
    for (let i = chart.lo; i <= chart.hi; i++) if (s.l[i] === null || s.h[i] === null) close(); else run.push(i);
    close();
    return d;
  }

  function steps(low, high) {
    const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const at = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) at.push(k * step);
    return { step, at };
  }

  function dates(low, high) {
    const span = (high - low) / DAY;
    if (span < 62) return [0, 0.33, 0.67, 1].map((share) => {
      const t = low + share * (high - low);
      return [t, new Date(t).toISOString().slice(5, span < 2 ? 16 : 10).replace("T", " ")];
    });
    const months = [1, 2, 3, 6, 12, 24, 60, 120, 240].find((m) => span / 30.44 / m <= 5) ?? 600;
    const begin = new Date(low), found = [];
    let month = Math.ceil((begin.getUTCFullYear() * 12 + begin.getUTCMonth() + (begin.getUTCDate() > 1)) / months) * months;
    for (let t; (t = Date.UTC(Math.floor(month / 12), month % 12, 1)) <= high; month += months)
      found.push([t, new Date(t).toISOString().slice(0, months < 12 ? 7 : 4)]);
    return found;
  }

  function places(step) {
    for (let d = 0; d < 6; d++) if (Math.abs(+step.toFixed(d) - step) < 1e-6 * step) return d;
    return 6;
  }

  function text(value, percent, digits) {
    const shown = (percent ? 100 * value : value).toFixed(digits);
    return (Number(shown) === 0 ? shown.replace("-", "") : shown.replace("-", "−")) + (percent ? " %" : "");
  }
  function day(t) { return new Date(t).toISOString().slice(0, 10); }
  function label(chart, t) { return new Date(t).toISOString().slice(0, chart.intraday ? 16 : 10).replace("T", " "); }
})();
