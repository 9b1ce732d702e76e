// What the tests ask a page in the browser.
globalThis.probes = {
  // Texts and shapes that differ too little from what is behind them (WCAG 2: 4.5, large ones 3).
  contrast() {
  const parse = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
  };
  const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const below = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const low = [], seen = { texts: 0, shapes: 0 };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    const e = node.parentElement, style = getComputedStyle(e);
    if (!node.data.trim() || !e.checkVisibility() || ["SCRIPT", "STYLE", "title"].includes(e.tagName)) continue;
    seen.texts++;
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const found = ratio(over(parse(style.color), below(e)), below(e));
    if (found < (large ? 3 : 4.5)) low.push([node.data.trim().slice(0, 40), found]);
  }
  for (const input of document.querySelectorAll("input, button")) {
    const found = ratio(parse(getComputedStyle(input).color), below(input));
    if (found < 4.5) low.push([input.outerHTML.slice(0, 40), found]);
  }
  for (const shape of document.querySelectorAll(".line, .zero, .area rect:not(.cell), .legend rect")) {
    const style = getComputedStyle(shape), colour = style.fill === "none" || shape.tagName === "line" ? style.stroke : style.fill;
    seen.shapes++;
    const found = ratio(parse(colour), below(shape.closest("figure")));
    if (found < 3) low.push([shape.getAttribute("class"), found]);
  }
  return { low, ...seen };
  },
  overlaps() {
    return [...document.querySelectorAll(".x, .y, .legend, .tiles")].flatMap((axis) => {
  const boxes = [...axis.children].filter((c) => c.textContent.trim()).map((c) => [c.textContent, c.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
    p.left < q.right && q.left < p.right && p.top < q.bottom - 1 && q.top < p.bottom - 1).map(([b]) => [a, b]));
});
  },
  wider() {
    return [...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, pre, svg") &&
  e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80));
  },
  name(e) {
    return e.getAttribute("href") || e.getAttribute("aria-label") || e.outerHTML.slice(0, 40);
  },
  reachable() {
    return [...document.querySelectorAll('a, button, input, [tabindex="0"]')]
      .filter((e) => e.checkVisibility()).map(probes.name);
  },
  active() {
    const style = getComputedStyle(document.activeElement);
    return [probes.name(document.activeElement), style.outlineStyle, parseFloat(style.outlineWidth)];
  },
};
