// What an accessibility checker would call a fault of the page, as lines: contrast (WCAG AA), names of what can be used,
// order of headings, heads of tables, reach by keyboard and a focus that is seen.
(() => {
  const faults = new Set();
  const all = (selector) => [...document.querySelectorAll(selector)];
  const about = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") || ""} ${(element.id || element.textContent).trim().slice(0, 30)}`;
  const fault = (what, element) => faults.add(`${what}: ${about(element)}`);
  const seen = (element) => element.checkVisibility() && element.getClientRects().length > 0;

  const color = (text) => { // r, g, b and alpha
    const numbers = text.match(/[\d.]+/g).map(Number);
    return [...numbers.slice(0, 3), numbers.length > 3 ? numbers[3] : 1];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, place) => value * a + below[place] * (1 - a));
  const ancestors = (element) => element ? [...ancestors(element.parentElement), element] : [];
  const background = (element) => ancestors(element).reduce(
    (below, one) => over(color(getComputedStyle(one).backgroundColor), below), [255, 255, 255]);
  const luminance = (rgb) => rgb.map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !seen(element) || element.closest("title, script")) continue;
    const style = getComputedStyle(element);
    const ink = color(element.closest("svg") ? style.fill : style.color);
    ink[3] *= ancestors(element).reduce((opacity, one) => opacity * getComputedStyle(one).opacity, 1);
    const below = background(element);
    const px = parseFloat(style.fontSize);
    const large = px >= 24 || (px >= 18.66 && style.fontWeight >= 700);
    const found = contrast(over(ink, below), below);
    if (found < (large ? 3 : 4.5)) fault(`contrast ${found.toFixed(2)}`, element);
    if (px < 11 && !element.closest("svg")) fault(`letters of ${px} px`, element);
  }

  const name = (element) => (element.getAttribute("aria-label") || element.getAttribute("alt")
    || [...(element.labels || [])].map((label) => label.textContent).join("") || element.textContent).trim();
  all("a[href], button, input, summary, img, svg[role=img], [role=region], nav").filter(seen)
    .forEach((element) => name(element) || fault("no name", element));

  const levels = all("h1, h2, h3, h4, h5, h6").map((heading) => [Number(heading.tagName[1]), heading]);
  levels.forEach(([level, heading], place) => {
    if (level > (place ? levels[place - 1][0] : 0) + 1) fault("a level of headings is left out", heading);
  });
  if (all("h1").length !== 1) fault("not one h1", document.body);
  if (all("main").length !== 1) fault("not one main", document.body);

  all("th").forEach((head) => head.hasAttribute("scope") || fault("a head without a scope", head));
  all("table").forEach((table) => {
    if (![...table.tBodies].flatMap((body) => [...body.rows]).every((row) => row.querySelector("th"))) fault("a row without a head", table);
  });

  const focusable = "a[href], button, input, summary, [tabindex='0']";
  all("*").filter((element) => seen(element) && element.scrollWidth > element.clientWidth + 1)
    .filter((element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX))
    .forEach((element) => element.matches(focusable) || element.querySelector(focusable) || fault("scrolls without a key", element));
  all(focusable).filter(seen).forEach((element) => {
    element.focus({ focusVisible: true, preventScroll: true });
    const style = getComputedStyle(element);
    if (document.activeElement !== element) fault("cannot be focused", element);
    else if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) fault("its focus is not seen", element);
  });
  all("[tabindex]").forEach((element) => element.tabIndex > 0 && fault("before its place for the keyboard", element));
  return [...faults];
})();
