// The transfer table: rows and metrics can be hidden, and rows sorted by a metric. Without this script it is a plain one.
(() => {
  "use strict";
  const table = document.getElementById("table");
  const [top, bottom] = table.tHead.rows;
  const tasks = [...top.cells].slice(1);
  const metrics = [...bottom.cells];
  const taskOf = tasks.flatMap((task) => Array(task.colSpan).fill(task));
  const bodies = [...table.tBodies].map((body) => [...body.rows].filter((row) => row.cells.length > 1));
  const rows = bodies.flat();
  const boxes = new Map(); // of each row and metric

  const make = (tag, parent, text = "") => {
    const element = parent.appendChild(document.createElement(tag));
    element.textContent = text;
    return element;
  };
  const words = (element) => element.firstChild.textContent.trim();

  const show = () => {
    const seen = (part) => boxes.get(part).checked;
    rows.forEach((row) => { row.hidden = !seen(row); });
    const left = new Map(tasks.map((task) => [task, 0]));
    metrics.forEach((metric, place) => {
      const first = seen(metric) && !left.get(taskOf[place]);
      left.set(taskOf[place], left.get(taskOf[place]) + seen(metric));
      [metric, ...rows.map((row) => row.cells[place + 1])].forEach((cell) => {
        cell.hidden = !seen(metric);
        cell.classList.toggle("first", first);
      });
    });
    left.forEach((count, task) => {
      task.hidden = !count;
      task.colSpan = count || 1;
    });
    table.querySelectorAll("th.network").forEach((head) => { head.colSpan = 1 + metrics.filter(seen).length; });
    const count = [...boxes.values()].filter((box) => !box.checked).length;
    title.textContent = "Rows and metrics" + (count ? " (" + count + " hidden)" : "");
  };

  const choice = (parent, text, part) => {
    const label = make("label", parent);
    const box = make("input", label);
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", show);
    label.append(" " + text);
    boxes.set(part, box);
  };
  const group = (text) => {
    const set = make("fieldset", tools);
    make("legend", set, text);
    return set;
  };
  const tools = make("details", document.getElementById("tools"));
  const title = make("summary", tools);
  const ofRows = group("rows");
  rows.forEach((row) => choice(ofRows, words(row.cells[0]), row));
  const sets = new Map(tasks.map((task) => [task, group(words(task))]));
  metrics.forEach((metric, place) => choice(sets.get(taskOf[place]), words(metric), metric));
  const all = make("button", tools, "Show all");
  all.type = "button";
  all.addEventListener("click", () => {
    boxes.forEach((box) => { box.checked = true; });
    show();
  });

  const sort = (place, direction) => {
    const value = (row) => Number(row.cells[place + 1].dataset.value ?? NaN);
    const order = (a, b) => Number.isNaN(value(a)) - Number.isNaN(value(b)) || direction * (value(a) - value(b)) || 0;
    bodies.forEach((body) => body.length && body[0].parentNode.append(...(direction ? body.toSorted(order) : body)));
    metrics.forEach((metric) => metric.removeAttribute("aria-sort"));
    if (direction) metrics[place].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  };
  metrics.forEach((metric, place) => {
    const best = metric.dataset.better === "lower" ? 1 : -1; // the best row first, then the worst, then as planned
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort the rows by this metric";
    button.textContent = words(metric);
    metric.firstChild.replaceWith(button);
    let clicks = 0;
    button.addEventListener("click", () => {
      clicks = metric.hasAttribute("aria-sort") ? clicks + 1 : 1;
      sort(place, [0, best, -best][clicks % 3]);
    });
  });

  const follow = () => { // a link to a cell opens it, wherever it is hidden
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !table.contains(target)) return;
    const row = target.closest("tr");
    const metric = metrics[target.cellIndex - 1];
    [row, metric].filter((part) => boxes.has(part)).forEach((part) => { boxes.get(part).checked = true; });
    show();
    target.querySelectorAll(":scope > .trail").forEach((trail) => { trail.open = true; });
    target.scrollIntoView({ block: "nearest", inline: "center" });
  };
  window.addEventListener("hashchange", follow);
  show();
  follow();
})();
