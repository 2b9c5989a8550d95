/** The card of progress over time, with a forecast of the end. */
import { $, el, fill, num, setText, thead } from "./dom.js";
import { Chart, tooltip } from "./charts.js";
import { count, plural } from "./format.js";
import { STATES } from "./progress_card.js";

const TABLE_ROWS = 40;
const EVERY_MS = 1000;
const STACK = ["labeled", "needs_review", "skipped", "in_progress", "unlabeled"];
const NAMES = Object.fromEntries(STATES);

export class CurveCard {
  constructor() {
    this._chart = null;
    this._table = $("#curve-table");
    this._points = [];
    this._drawn = 0;
    this._live = false;
    this._table.closest("details").addEventListener("toggle", () => this._rows());
  }

  /**
   * @param {import("./curve.js").Point[]} points
   * @param {any} forecast
   * @param {number} now
   * @param {boolean} past another time is shown
   */
  render(points, forecast, now, past) {
    this._points = points;
    const some = points.length > 1;
    $("#curve-empty").hidden = some;
    $("#curve-chart").hidden = !some;
    setText($("#forecast"), forecastWords(forecast, points.at(-1)));
    if (!some) return;
    this._chart ??= new Chart($("#curve-chart"), curveOption);
    // The whole curve is drawn anew: once a second is live enough, another moment is shown at once.
    const drawn = performance.now();
    if (this._live && !past && drawn - this._drawn < EVERY_MS) return;
    this._drawn = drawn;
    this._live = !past;
    this._chart.set({ points, forecast: open(points.at(-1)) ? forecast : null, now });
    this._rows();
  }

  _rows() {
    if (!this._table.closest("details").open) return;
    const step = Math.max(1, Math.ceil(this._points.length / TABLE_ROWS));
    const shown = this._points.filter((_, i, all) => (all.length - 1 - i) % step === 0).reverse();
    fill(this._table,
      thead(["Time", ...STACK.map((s) => NAMES[s])], { numbers: 1 }),
      el("tbody", {}, ...shown.map((p) => el("tr", {}, el("td", {}, moment(p.at, true)), ...STACK.map((s) => num(count(p[s])))))));
  }
}

const open = (point) => point.unlabeled + point.in_progress > 0;
const FORMAT = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

const SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A time as people say it: today's by the clock alone; `exact`: that with its seconds. */
export function moment(ms, exact = false) {
  const today = new Date(ms).toDateString() === new Date().toDateString();
  return today ? (exact ? SECONDS : CLOCK).format(ms) : FORMAT.format(ms);
}

const WINDOWS = [[3_600_000, "hour"], [24 * 3_600_000, "day"], [7 * 24 * 3_600_000, "week"]];

/** @param {any} forecast @param {any} last */
function forecastWords(forecast, last) {
  if (last && last.labeled + last.in_progress + last.unlabeled + last.needs_review > 0 && !open(last)) return "Every item has its votes.";
  if (!forecast) return "When it ends is known after ten items and ten votes.";
  const window = WINDOWS.find(([ms]) => forecast.window_ms <= ms)?.[1] ?? "week";
  const range = forecast.high === null ? `not before ${moment(forecast.low)}` : `95 %: ${moment(forecast.low)} to ${moment(forecast.high)}`;
  return `At the pace of the last ${window} (${plural(Math.round(forecast.per_hour), "vote")} an hour) it ends ${moment(forecast.at)}; ${range}`;
}

/** Stacked states by time, and a dashed line to the end; data: {points, forecast, now}. */
function curveOption(css, { points, forecast, now }) {
  const last = points.at(-1);
  const total = STACK.reduce((sum, s) => sum + last[s], 0);
  const area = (state) => ({
    id: state, name: NAMES[state], type: "line", stack: "items", showSymbol: false, symbol: "none",
    lineStyle: { width: 0 }, areaStyle: { color: css(`--state-${state}`), opacity: 0.9 },
    itemStyle: { color: css(`--state-${state}`) }, data: points.map((p) => [p.at, p[state]]),
  });
  const end = forecast && forecast.at > now ? [[now, last.labeled], [forecast.at, total - last.needs_review - last.skipped]] : [];
  return {
    animation: false,
    grid: { left: 8, right: 16, top: 30, bottom: 4, containLabel: true },
    legend: { top: 0, left: 0, type: "scroll", textStyle: { color: css("--ink-2") }, itemHeight: 8, itemWidth: 14, data: STACK.map((s) => NAMES[s]) },
    tooltip: tooltip(css, {
      trigger: "axis",
      formatter: (shown) => {
        const at = shown[0]?.value[0];
        const some = shown.filter((s) => s.seriesId !== "end");
        return [moment(at, true), ...some.map((s) => `${s.seriesName}: ${count(s.value[1])}`)].join("\n");
      },
    }),
    xAxis: {
      type: "time", axisLabel: { color: css("--ink-3"), hideOverlap: true }, splitLine: { show: false },
      axisLine: { lineStyle: { color: css("--line-strong") } },
    },
    yAxis: { type: "value", min: 0, max: total || 1, minInterval: 1, axisLabel: { color: css("--ink-3"), formatter: (v) => (v === total && !round(total) ? "" : count(v)) }, splitLine: { lineStyle: { color: css("--line") } } },
    series: [
      ...STACK.map(area),
      {
        id: "end", name: "forecast", type: "line", showSymbol: false, silent: true, data: end,
        lineStyle: { color: css("--ink"), type: "dashed", width: 2 }, itemStyle: { color: css("--ink") },
        markArea: end.length && forecast.high !== null
          ? { silent: true, itemStyle: { color: css("--ink-3"), opacity: 0.14 }, data: [[{ xAxis: forecast.low }, { xAxis: Math.min(forecast.high, forecast.at + 3 * (forecast.at - now)) }]] }
          : { data: [] },
      },
    ],
  };
}

/** Whether a number is so round that the axis has a line there anyway: another one would be written over its neighbour. */
function round(n) {
  return n % 10 ** Math.floor(Math.log10(Math.max(1, n))) === 0;
}
