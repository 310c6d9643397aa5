// What stands on the page: natural width of each image, size of each drawing and the names of the lines that are seen on
// it, rows of each table, verdicts, which
// boxes scroll and which say so, the page's own width.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const target = (link) =>
    document.getElementById(link.hash.slice(1)) || document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const seen = (line) => line.getBoundingClientRect().width + line.getBoundingClientRect().height > 0;
  const names = (svg) => [...svg.querySelectorAll("title")].filter((title) => seen(title.parentNode));
  const shown = (element, kind) => element !== null && element.matches(kind) && element.offsetHeight > 0;
  const placed = (element) => element.getClientRects().length > 0; // one of two, by the width of the screen
  const trail = document.querySelector(".trail");
  trail.open = true;
  const opened = trail.innerText;
  trail.open = false;
  return {
    images: all("img").map((image) => image.naturalWidth),
    drawings: all("svg").filter(placed).map((svg) => svg.getBoundingClientRect().width * svg.querySelectorAll("path").length),
    lines: all("svg").map((svg) => [svg.getAttribute("aria-label"), names(svg).map((title) => title.textContent)]),
    verdicts: all("#table .verdict").map((verdict) => verdict.innerText),
    heat: all("table.heat").map((table) => table.rows.length),
    tables: all("table").map((table) => table.rows.length),
    sections: all("h2").map((heading) => heading.id),
    dangling: all("nav a, .trail a[href^='#']").filter((link) => !target(link)).length,
    trail: opened,
    boxes: all(".box").map((box) => [
      box.getAttribute("aria-label"),
      box.scrollWidth > box.clientWidth + 1,
      shown(box.previousElementSibling, ".sideways"),
    ]),
    width: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.querySelector("svg text") || document.body).fill,
  };
})();
