// Draws each .chart from the JSON beside it; its figures also stand in a table below, for everybody.

addEventListener("DOMContentLoaded", () => {
  const drawn = [];
  const draw = () => {
    drawn.splice(0).forEach((chart) => chart.destroy());
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
      drawn.push(new Chart(place.querySelector("canvas"), settingsOf(data)));
    });
  };
  draw();
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
});

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const POINTS = ["circle", "rect", "triangle", "rectRot", "star", "cross", "rectRounded", "crossRot"];

function settingsOf({ labels, series }) {
  const bars = series.filter((one) => !one.line);
  const lines = series.filter((one) => one.line);
  const left = (bars[0] || lines[0]).unit;
  const right = lines.find((one) => one.unit !== left)?.unit;
  return {
    data: { labels, datasets: series.map((one, place) => datasetOf(one, colourPlaces(series)[place], one.line && one.unit === right)) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { stacked: bars.length > 0, grid: { display: false }, ticks: { color: colour("--bs-secondary-color"), maxRotation: 0, autoSkipPadding: 12 } },
        y: axis(left, "left", bars.length > 0),
        ...(right && { right: { ...axis(right, "right", false), grid: { display: false } } }),
      },
      plugins: {
        legend: { position: "bottom", display: series.length > 1, labels: { color: colour("--bs-body-color"), usePointStyle: true, boxHeight: 7 } },
        tooltip: { filter: (item) => item.raw !== null && item.raw !== 0, callbacks: { label: (item) => `${item.dataset.label}: ${item.formattedValue} ${series[item.datasetIndex].unit}` } },
      },
    },
  };
}

// A forecast has the colour of the series before it, which it goes on.
function colourPlaces(series) {
  let place = -1;
  return series.map((one) => (one.guess ? place : ++place));
}

function axis(unit, position, stacked) {
  return {
    position,
    stacked,
    beginAtZero: true,
    ...(unit === "%" && { max: 100 }),
    title: { display: true, text: unit, color: colour("--bs-secondary-color") },
    ticks: { color: colour("--bs-secondary-color"), precision: 0 },
    grid: { color: colour("--sa-line") },
  };
}

function datasetOf(one, place, isRight) {
  const own = colour(`--sa-series-${(place % 8) + 1}`);
  return {
    type: one.line ? "line" : "bar",
    label: one.name,
    data: one.values,
    yAxisID: isRight ? "right" : "y",
    backgroundColor: own,
    borderColor: own,
    pointStyle: one.line ? POINTS[place % POINTS.length] : "rect",
    borderDash: one.guess ? [5, 4] : [],
    borderWidth: one.line ? 2 : 0,
    pointRadius: one.guess ? 0 : 2.5,
    spanGaps: true,
    order: one.line ? 0 : 1,
  };
}
