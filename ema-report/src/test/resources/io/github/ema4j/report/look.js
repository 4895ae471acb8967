// Looks at the page as it was laid out, and writes what is amiss into an attribute of the body.
const problems = [];
const rect = (element) => element.getBoundingClientRect();
const inside = (inner, outer) =>
  inner.left >= outer.left - 1 && inner.right <= outer.right + 1 && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const luminance = (color) =>
  color.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const background = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (color !== "rgba(0, 0, 0, 0)") return color;
  }
  return "rgb(255, 255, 255)";
};
const name = (element) => element.tagName + "." + element.getAttribute("class") + " '" + element.textContent.trim().slice(0, 30) + "'";

const charts = [...document.querySelectorAll("svg.chart")];
for (const chart of charts) {
  const title = document.getElementById(chart.getAttribute("aria-labelledby").split(" ")[0]).textContent;
  const lines = [...chart.querySelectorAll("path.line")];
  const legend = chart.parentElement.querySelectorAll(".legend li");
  if (lines.length === 0 || lines.length !== legend.length) problems.push(title + ": " + lines.length + " lines, " + legend.length + " in the legend");
  for (const line of lines) {
    if (rect(line).width < rect(chart).width / 2 || line.getTotalLength() < 100) problems.push(title + ": a line is " + rect(line).width + " wide");
    if (contrast(getComputedStyle(line).stroke, background(chart)) < 3) problems.push(title + ": a line is hard to see");
  }
  const ticks = [...chart.querySelectorAll("text")];
  for (const element of [...ticks, ...lines, ...chart.querySelectorAll("circle, .area")]) {
    if (!inside(rect(element), rect(chart))) problems.push(title + ": " + name(element) + " is cut off");
  }
  ticks.forEach((one, i) => ticks.slice(i + 1).forEach((other) => {
    if (overlap(rect(one), rect(other))) problems.push(title + ": " + name(one) + " and " + name(other) + " overlap");
  }));
  for (const text of ticks) {
    if (contrast(getComputedStyle(text).fill, background(chart)) < 4.5) problems.push(title + ": " + name(text) + " is hard to read");
  }
}
for (const details of document.querySelectorAll("details")) details.open = true;
for (const element of document.querySelectorAll("h1, h2, p, a, dt, dd, li, th, td, caption, summary, pre")) {
  if (!element.classList.contains("skip") && contrast(getComputedStyle(element).color, background(element)) < 4.5) problems.push(name(element) + " is hard to read");
  const box = element.closest(".scroll");
  if (!box && !element.classList.contains("skip") && !inside({ ...rect(element).toJSON(), top: 0, bottom: 0 }, { left: 0, right: innerWidth, top: 0, bottom: 0 })) problems.push(name(element) + " is cut off");
}
for (const box of document.querySelectorAll(".scroll")) {
  if (box.tabIndex !== 0 || !box.getAttribute("aria-label")) problems.push("a box cannot be scrolled by keyboard");
}
if (document.documentElement.scrollWidth > innerWidth) problems.push("the page is " + document.documentElement.scrollWidth + " wide");
document.body.dataset.charts = charts.length;
document.body.dataset.background = getComputedStyle(document.body).backgroundColor;
document.body.dataset.problems = problems.join("\n");
