// What stands on the page: natural width of each image, size of each drawing and the names of the lines that are seen on
// it, rows of each table, verdicts, the page's own width.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const target = (link) =>
    document.getElementById(link.hash.slice(1)) || document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const seen = (line) => line.getBoundingClientRect().width + line.getBoundingClientRect().height > 0;
  const names = (svg) => [...svg.querySelectorAll("title")].filter((title) => seen(title.parentNode));
  const trail = document.querySelector(".trail");
  trail.open = true;
  const opened = trail.innerText;
  trail.open = false;
  return {
    images: all("img").map((image) => image.naturalWidth),
    drawings: all("svg").map((svg) => svg.getBoundingClientRect().width * svg.querySelectorAll("path").length),
    lines: all("svg").map((svg) => [svg.getAttribute("aria-label"), names(svg).map((title) => title.textContent)]),
    verdicts: all("#table .verdict").map((verdict) => verdict.innerText),
    heat: all("table.heat").map((table) => table.rows.length),
    tables: all("table").map((table) => table.rows.length),
    sections: all("h2").map((heading) => heading.id),
    dangling: all("nav a, .trail a[href^='#']").filter((link) => !target(link)).length,
    trail: opened,
    width: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.querySelector("svg text") || document.body).fill,
  };
})();
