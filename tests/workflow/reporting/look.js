// What stands on the page: natural width of each image, size of each drawing, rows of each table, the page's own width.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const target = (link) =>
    document.getElementById(link.hash.slice(1)) || document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const trail = document.querySelector(".trail");
  trail.open = true;
  const opened = trail.innerText;
  trail.open = false;
  return {
    images: all("img").map((image) => image.naturalWidth),
    drawings: all("svg").map((svg) => svg.getBoundingClientRect().width * svg.querySelectorAll("path").length),
    tables: all("table").map((table) => table.rows.length),
    sections: all("h2").map((heading) => heading.id),
    dangling: all("nav a, .trail a[href^='#']").filter((link) => !target(link)).length,
    trail: opened,
    width: document.documentElement.scrollWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.querySelector("svg text") || document.body).fill,
  };
})();
