/** What each way of working costs, and how alike the pages of clusters turn out. */
import { $, el, fill, setText, thead } from "./dom.js";
import { Chart, tooltip } from "./charts.js";
import { count, percent } from "./format.js";

const NAMES = {
  single: "by hand, one at a time",
  grid: "by hand, in a grid",
  clustered: "clustered",
  prelabeled: "prelabeled",
};
let chart = null;

/** @param {any} pace the protocol's Pace */
export function renderPace(pace) {
  const views = pace.views.filter((v) => v.timed > 0 || v.judged > 0);
  setText($("#pace-note"), pace.note);
  $("#pace-views").hidden = views.length === 0;
  fill($("#pace-views"),
    thead(["Way", "Seconds", "Middle half", "Errors", "95 % sure", "Answers"], { numbers: 1 }),
    el("tbody", {}, ...views.map(viewRow)));
  renderClusters(pace);
}

function viewRow({ view, timed, seconds, judged, errors }) {
  const num = (text, title) => el("td", { class: "num", title }, text);
  const little = "known after 30 answers";
  const kind = { clustered: "clustered", prelabeled: "prelabeled" }[view] ?? "manual";
  return el("tr", { dataset: { view } },
    el("td", {}, el("span", { class: "way", vars: { k: `var(--kind-${kind})` } }, NAMES[view])),
    num(seconds ? `${seconds.seconds.toFixed(1)} s` : "–", seconds ? undefined : little),
    num(seconds ? `${seconds.low.toFixed(1)} to ${seconds.high.toFixed(1)} s` : "–"),
    num(errors ? percent(errors.value) : "–", errors ? `of ${count(judged)} answers that could be judged` : little),
    num(errors ? `${(100 * errors.low).toFixed(1)} to ${percent(errors.high)}` : "–"),
    num(count(timed)));
}

function renderClusters({ rounds, by_hand, worth_from, clusters }) {
  const measured = rounds.filter((r) => r.pages > 0);
  const note = $("#clusters-note");
  note.hidden = clusters === null;
  setText(note, clusters?.note ?? "");
  note.dataset.state = clusters?.state ?? "";
  const empty = $("#purity-empty");
  empty.hidden = measured.length > 0;
  $("#purity-box").hidden = measured.length === 0;
  if (measured.length === 0) return;
  chart ??= new Chart($("#purity-chart"), purityOption);
  chart.set({ rounds: measured, hand: by_hand?.pages >= 8 ? by_hand.alike : null, worth: worth_from });
  fill($("#purity-table"),
    thead(["Round", "Pages", "Expected alike", "Turned out", ""], { numbers: 0 }),
    el("tbody", {}, ...[...measured].reverse().map((r) =>
      el("tr", {},
        ...[r.round, count(r.pages), percent(r.expected, 0), percent(r.alike, 0)].map((text) => el("td", { class: "num" }, text)),
        el("td", {}, r.withdrawn ? "withdrawn" : "")))));
}

/** Expected and real share alike by round; data: {rounds, hand, worth}. */
function purityOption(css, { rounds, hand, worth }) {
  const whole = (share) => `${Math.round(100 * share)} %`;
  const line = (name, key, color, more = {}) => ({
    name, type: "line", data: rounds.map((r) => [String(r.round), r[key]]),
    symbolSize: 7, lineStyle: { color, width: 2 }, itemStyle: { color }, connectNulls: true, ...more,
  });
  const level = (value, text) => ({
    yAxis: value, label: { formatter: text, position: "insideStartBottom", color: css("--ink-2") },
  });
  return {
    grid: { left: 48, right: 18, top: 34, bottom: 40 },
    legend: { top: 0, left: 0, type: "scroll", textStyle: { color: css("--ink-2") }, itemHeight: 8, itemWidth: 16 },
    tooltip: tooltip(css, {
      trigger: "axis",
      formatter: (shown) => {
        const r = rounds[shown[0]?.dataIndex];
        return r ? [`round ${r.round}, ${r.pages} pages`, ...(r.expected === null ? [] : [`expected ${whole(r.expected)} alike`]), `turned out ${whole(r.alike)} alike`].join("\n") : "";
      },
    }),
    xAxis: {
      type: "category", name: "round", nameLocation: "middle", nameGap: 24, data: rounds.map((r) => String(r.round)),
      axisLabel: { color: css("--ink-3") }, axisLine: { lineStyle: { color: css("--line-strong") } }, nameTextStyle: { color: css("--ink-3") },
    },
    yAxis: {
      type: "value", min: 0, max: 1, axisLabel: { color: css("--ink-3"), formatter: whole },
      splitLine: { lineStyle: { color: css("--line") } },
    },
    series: [
      line("expected", "expected", css("--ink-3"), { lineStyle: { color: css("--ink-3"), width: 2, type: "dotted" } }),
      line("turned out", "alike", css("--kind-clustered"), {
        markLine: {
          silent: true, symbol: "none", lineStyle: { color: css("--line-strong"), type: "dashed" },
          data: [level(worth, `worth it from ${whole(worth)}`), ...(hand === null ? [] : [level(hand, `by hand ${whole(hand)}`)])],
        },
      }),
    ],
  };
}
