/** The charts of the model's room: see charts.js for how they live. */
import { tooltip } from "./charts.js";

const percentOf = (share) => `${(100 * share).toFixed(1)} %`;

const shareAxis = (css, more = {}) => ({
  type: "value", min: 0, max: 1,
  axisLabel: { color: css("--ink-3"), formatter: (v) => `${Math.round(v * 100)} %` },
  splitLine: { lineStyle: { color: css("--line") } },
  ...more,
});

const flatAxis = (css, name, more = {}) => ({
  type: "value", name, nameLocation: "middle", nameGap: 26,
  splitLine: { show: false },
  axisLabel: { color: css("--ink-3") },
  axisLine: { show: true, lineStyle: { color: css("--line-strong") } },
  nameTextStyle: { color: css("--ink-3") },
  ...more,
});

const legend = (css, more = {}) => ({ top: 0, left: 0, type: "scroll", textStyle: { color: css("--ink-2") }, itemHeight: 8, itemWidth: 16, ...more });
const GRID = { left: 48, right: 18, top: 36, bottom: 44 };

const targetLine = (css, target) => ({
  silent: true, symbol: "none", data: [{ yAxis: target }],
  lineStyle: { color: css("--ink-2"), type: "dashed" },
  label: { formatter: `target ${Math.round(target * 1000) / 10} %`, position: "insideStartBottom", color: css("--ink-2") },
});

/** Accuracy, its lower bound and coverage over confidence; data: a threshold card. */
export function curveOption(css, card) {
  const points = [...card.curve].sort((a, b) => a.threshold - b.threshold);
  const of = (f) => points.map((p) => [p.threshold, f(p)]);
  const violet = css("--kind-prelabeled");
  const line = (name, f, color, more = {}) => ({
    name, type: "line", data: of(f), showSymbol: false, symbolSize: 6,
    lineStyle: { color, width: 2 }, itemStyle: { color }, ...more,
  });
  const band = (name, f, more) => ({
    name, type: "line", stack: "band", data: of(f), symbol: "none", silent: true,
    lineStyle: { opacity: 0 }, ...more,
  });
  const chosen = card.threshold;
  return {
    grid: GRID,
    legend: legend(css, { data: ["accuracy", "lower bound", "coverage"] }),
    tooltip: tooltip(css, {
      trigger: "axis",
      formatter: (shown) => {
        const p = points[shown[0]?.dataIndex];
        return p ? [`from confidence ${p.threshold.toFixed(3)} up`, `accuracy ${percentOf(p.accuracy)}`, `lower bound ${percentOf(p.lower_bound)}`, `coverage ${percentOf(p.coverage)}`, `n = ${p.n}`].join("\n") : "";
      },
    }),
    xAxis: flatAxis(css, "confidence at least", { min: (v) => Math.floor(v.min * 20) / 20, max: 1 }),
    yAxis: shareAxis(css),
    series: [
      band("band from", (p) => p.lower_bound, {}),
      band("band", (p) => p.accuracy - p.lower_bound, { areaStyle: { color: violet, opacity: 0.16 } }),
      line("coverage", (p) => p.coverage, css("--state-labeled"), { lineStyle: { color: css("--state-labeled"), width: 1.5 } }),
      line("accuracy", (p) => p.accuracy, css("--accent"), { markLine: targetLine(css, card.target) }),
      line("lower bound", (p) => p.lower_bound, violet, {
        markLine: chosen === null ? { data: [] } : {
          silent: true, symbol: "none", data: [{ xAxis: chosen }],
          lineStyle: { color: violet, type: "solid", width: 1.5 },
          label: { formatter: `chosen ${chosen.toFixed(3)}`, position: "insideStartTop", color: violet },
        },
        markPoint: chosen === null ? { data: [] } : {
          silent: true, symbol: "circle", symbolSize: 11, data: [{ coord: [chosen, card.lower_bound] }],
          itemStyle: { color: violet, borderColor: css("--surface"), borderWidth: 2 }, label: { show: false },
        },
      }),
    ],
  };
}

/** How often the model is right at each confidence; data: the card's `reliability`. */
export function reliabilityOption(css, bins) {
  const most = Math.max(1, ...bins.map((b) => b.n));
  return {
    grid: { ...GRID, top: 14 },
    tooltip: tooltip(css, {
      trigger: "item",
      formatter: (p) => (p.value.length === 3 ? `says ${percentOf(p.value[0])}\nright ${percentOf(p.value[1])}\nn = ${p.value[2]}` : ""),
    }),
    xAxis: flatAxis(css, "confidence", { min: 0, max: 1 }),
    yAxis: shareAxis(css),
    series: [
      { type: "line", data: [[0, 0], [1, 1]], symbol: "none", silent: true, lineStyle: { color: css("--line-strong"), type: "dashed" } },
      {
        type: "line", data: bins.map((b) => [b.confidence, b.accuracy, b.n]),
        symbol: "circle", symbolSize: (value) => 7 + 17 * Math.sqrt(value[2] / most),
        lineStyle: { color: css("--accent"), width: 1.5 }, itemStyle: { color: css("--accent"), opacity: 0.85 },
      },
    ],
  };
}

/** Shares over the number of labels, of the rounds that finished. `lines`: [name, key, colour, more]. */
function overLabels(css, { target, rounds }, lines) {
  return {
    grid: GRID,
    legend: legend(css),
    tooltip: tooltip(css, {
      trigger: "axis",
      formatter: (points) =>
        [`round ${rounds[points[0].dataIndex].number}, ${points[0].value[0]} labels`]
          .concat(points.filter((p) => p.value[1] !== null).map((p) => `${p.seriesName}: ${percentOf(p.value[1])}`))
          .join("\n"),
    }),
    xAxis: flatAxis(css, "labels", { min: "dataMin", minInterval: 1 }),
    yAxis: shareAxis(css),
    series: lines.map(([name, key, color, more = {}], i) => ({
      name, type: "line", data: rounds.map((r) => [r.labels, r[key] ?? null]), symbolSize: 6, showSymbol: rounds.length < 30,
      lineStyle: { color: css(color), width: 2, ...more.lineStyle }, itemStyle: { color: css(color) },
      markLine: i === 0 ? targetLine(css, target) : undefined, step: more.step,
    })),
  };
}

export const historyOption = (css, data) =>
  overLabels(css, data, [
    ["model accuracy", "model_accuracy", "--accent"],
    ["prelabels right (validation)", "accuracy", "--kind-prelabeled"],
    ["prelabels right (blind audit)", "audited", "--state-needs_review"],
    ["threshold", "threshold", "--ink-3", { lineStyle: { type: "dotted" } }],
    ["coverage", "coverage", "--state-labeled", { step: "end" }],
  ]);

export const learningOption = (css, data) =>
  overLabels(css, data, [
    ["model accuracy", "model_accuracy", "--accent"],
    ["always the commonest class", "baseline", "--ink-3", { lineStyle: { type: "dotted" } }],
  ]);
