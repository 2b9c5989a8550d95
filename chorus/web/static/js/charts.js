/** Charts by ECharts: made once, then only given new numbers; colours from the page's variables. */

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const CALM_MS = 700;

/** A chart in `node` that follows its size and the light or dark theme. `option(css, data)`. */
export class Chart {
  /** @param {HTMLElement} node @param {(css: (name: string) => string, data: any) => object} option */
  constructor(node, option) {
    this._chart = window.echarts.init(node, null, { renderer: "canvas" });
    this._option = option;
    this._data = null;
    new ResizeObserver(() => this._chart.resize()).observe(node);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this._draw());
  }

  set(data) {
    const key = JSON.stringify(data);
    if (key === this._key) return;
    this._key = key;
    this._data = data;
    this._draw();
  }

  /** What a click on a bar or a slice does. @param {(params: any) => void} pick */
  onPick(pick) {
    this._chart.on("click", pick);
  }

  _draw() {
    if (this._data === null) return;
    // Figures that come several times a second are not animated: the chart would never rest.
    const now = performance.now();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches || now - (this._drawn ?? 0) < CALM_MS;
    this._drawn = now;
    this._chart.setOption({
      animation: !still,
      animationDuration: 250,
      animationDurationUpdate: 250,
      textStyle: { fontFamily: css("--font"), color: css("--ink-2") },
      ...this._option(css, this._data),
    });
  }
}

/** What every tooltip looks like. Drawn in the canvas: markup of its own would break the CSP. */
export function tooltip(css, more) {
  return {
    renderMode: "richText",
    confine: true,
    backgroundColor: css("--surface"),
    borderColor: css("--line-strong"),
    textStyle: { color: css("--ink"), fontSize: 13 },
    ...more,
  };
}

/** One bar of all items; data: [{key, name, value}]. */
export function progressOption(css, data) {
  const total = data.reduce((sum, d) => sum + d.value, 0) || 1;
  return {
    grid: { left: 0, right: 0, top: 4, bottom: 4 },
    xAxis: { type: "value", max: total, show: false },
    yAxis: { type: "category", data: [""], show: false },
    tooltip: tooltip(css, {
      trigger: "item",
      formatter: (p) => `${p.seriesName}: ${p.value.toLocaleString("en")} (${((100 * p.value) / total).toFixed(1)} %)`,
    }),
    series: data.map((d) => ({
      id: d.key,
      name: d.name,
      type: "bar",
      stack: "all",
      barWidth: 24,
      data: [d.value],
      itemStyle: { color: css(`--state-${d.key}`) },
      emphasis: { focus: "series" },
    })),
  };
}

/**
 * Bars by class; data: [{name, color, value, known?, expected?}], many classes scroll by the wheel.
 * expected: what the bar would be if labels were distributed as among the known ones.
 */
export function labelsOption(css, data) {
  return {
    grid: { left: 4, right: 44, top: 4, bottom: 4, containLabel: true },
    xAxis: { type: "value", show: false },
    yAxis: {
      type: "category",
      inverse: true,
      data: data.map((d) => d.name),
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { color: css("--ink-2"), width: 120, overflow: "truncate" },
    },
    dataZoom: data.length > 14 ? [{ type: "inside", yAxisIndex: 0, startValue: 0, endValue: 13 }] : [],
    tooltip: tooltip(css, { trigger: "item", formatter: (p) => labelWords(data[p.dataIndex]) }),
    series: [
      {
        type: "bar",
        barMaxWidth: 18,
        data: data.map((d) => ({ value: d.value, itemStyle: { color: d.color, borderRadius: 4 } })),
        label: { show: true, position: "right", color: css("--ink-2") },
      },
      {
        type: "scatter",
        symbol: "diamond",
        symbolSize: 11,
        z: 3,
        itemStyle: { color: css("--ink"), borderColor: css("--surface"), borderWidth: 2 },
        data: data.map((d, i) => [d.expected ?? "-", i]),
      },
    ],
  };
}

function labelWords(d) {
  const words = `${d.name}: ${d.value.toLocaleString("en")}`;
  if (d.known === null || d.known === undefined) return words;
  return `${words}\nas among gold (${d.known.toLocaleString("en")}): ${Math.round(d.expected).toLocaleString("en")}`;
}

/** Lines over the number of labels; data: {target, rounds}. */
export function roundsOption(css, { target, rounds }) {
  const share = (key) => rounds.map((r) => [r.labels, r[key] ?? null]);
  const line = (name, key, color, more = {}) => ({
    name, type: "line", data: share(key), symbolSize: 5, showSymbol: rounds.length < 30,
    lineStyle: { color, width: 2 }, itemStyle: { color }, connectNulls: false, ...more,
  });
  return {
    grid: { left: 44, right: 16, top: 30, bottom: 30 },
    legend: { top: 0, left: 0, type: "scroll", textStyle: { color: css("--ink-2") }, itemHeight: 8, itemWidth: 16 },
    tooltip: tooltip(css, {
      trigger: "axis",
      formatter: (points) =>
        [`at ${points[0].value[0]} labels`]
          .concat(points.filter((p) => p.value[1] !== null).map((p) => `${p.seriesName}: ${(100 * p.value[1]).toFixed(1)} %`))
          .join("\n"),
    }),
    xAxis: {
      type: "value", name: "labels", nameLocation: "end", nameGap: 4, min: "dataMin",
      splitLine: { show: false }, axisLabel: { color: css("--ink-3") },
      axisLine: { lineStyle: { color: css("--line-strong") } }, nameTextStyle: { color: css("--ink-3") },
    },
    yAxis: {
      type: "value", min: 0, max: 1,
      axisLabel: { color: css("--ink-3"), formatter: (v) => `${Math.round(v * 100)} %` },
      splitLine: { lineStyle: { color: css("--line") } },
    },
    series: [
      line("model accuracy", "model_accuracy", css("--accent"), {
        markLine: {
          silent: true, symbol: "none", data: [{ yAxis: target }],
          lineStyle: { color: css("--ink-3"), type: "dashed" },
          label: { formatter: "target", position: "insideStartTop", color: css("--ink-3") },
        },
      }),
      line("prelabels, lower bound", "lower_bound", css("--kind-prelabeled"), { connectNulls: true, showSymbol: true }),
      line("coverage", "coverage", css("--state-labeled"), { step: "end" }),
    ],
  };
}
