/** What is being done now, on a layer of its own, so that pointing redraws none of the others. */
import { inkOn } from "../format.js";
import { DASH, LINE, NAME_HIGH, nameAt } from "./marks.js";
import { boundsOf, outlineOf } from "./shapes.js";

const { Konva } = /** @type {any} */ (window);

/** CSS pixels. */
const HANDLE = 9;
const FAR = 1e5;
const INK = "#10141b";
const PLAIN = { listening: false, perfectDrawEnabled: false, strokeScaleEnabled: false, strokeWidth: 1, lineJoin: "miter", visible: false };

/**
 * @typedef {{target?: ?{shape: any, color: string, label: string, dashed: boolean}, form?: any, color: string,
 *   words?: string, handles?: [number, number][], round?: boolean, line?: [number, number][],
 *   guides?: ?[number, number], dashed?: boolean}} What the shape that keys are about, or as it would be;
 *   handles, an unfinished outline, crossed lines
 */
export class Doing {
  /** @param {any} layer of Konva. Its nodes are made once: they follow each move of the pointer. */
  constructor(layer) {
    this._layer = layer;
    this._guides = [{ stroke: INK, opacity: 0.6 }, { stroke: "#ffffff", dash: [4, 4], opacity: 0.85 }]
      .map((how) => [line(how), line(how)]);
    this._target = outline({ strokeWidth: LINE + 1.5 });
    this._form = twice(outline);
    this._open = twice(line);
    /** @type {any[]} */
    this._handles = [];
    this._names = [name(), name()];
    layer.add(
      ...this._guides.flat(), this._target, ...this._form, ...this._open, ...this._names.map(({ group }) => group),
    );
  }

  /** @param {What} what @param {number} scale of the view */
  show({ target = null, form = null, color, words = "", handles = [], round = false, line: open = [], guides = null, dashed = false }, scale) {
    const one = 1 / scale;
    seen(this._target, target && {
      points: outlineOf(target.shape).flat(), stroke: target.color, fill: `${target.color}33`, dash: target.dashed ? DASH : null,
    });
    const [on, under] = this._names;
    if (target) on.show(target.label, target.color, nameAt(boundsOf(target.shape), scale), one);
    else on.hide();
    const points = form && outlineOf(form).flat();
    seen(this._form[0], form && { points });
    seen(this._form[1], form && { points, stroke: color, dash: dashed ? DASH : null });
    seen(this._open[0], open.length && { points: open.flat() });
    seen(this._open[1], open.length && { points: open.flat(), stroke: color });
    this._grips(handles, color, round ? HANDLE / 0.9 : HANDLE, round, one);
    if (words && form) {
      const [x, y, , h] = boundsOf(form);
      under.show(words, color, [x, y + h + (NAME_HIGH + 4) * one], one);
    } else under.hide();
    const ends = guides && [[guides[0], -FAR, guides[0], FAR], [-FAR, guides[1], FAR, guides[1]]];
    for (const lines of this._guides) lines.forEach((node, at) => seen(node, ends && { points: ends[at] }));
  }

  _grips(places, color, size, round, one) {
    while (this._handles.length < places.length) {
      const fresh = new Konva.Rect({ ...PLAIN, fill: "#ffffff", strokeWidth: LINE });
      this._layer.add(fresh);
      this._handles.push(fresh);
    }
    const side = size * one;
    this._handles.forEach((node, at) => {
      const place = places[at];
      seen(node, place && {
        x: place[0] - side / 2, y: place[1] - side / 2, width: side, height: side, stroke: color, cornerRadius: round ? side / 2 : 0,
      });
    });
  }
}

/** @param {any} node @param {any} how to be seen; falsy: not at all */
function seen(node, how) {
  if (how) node.setAttrs({ ...how, visible: true });
  else node.visible(false);
}

function line(how) {
  return new Konva.Line({ ...PLAIN, ...how });
}

function outline(how) {
  return new Konva.Line({ ...PLAIN, closed: true, ...how });
}

/** A line that is seen on everything: dark below, and in its colour. */
function twice(make) {
  return [make({ stroke: INK, strokeWidth: LINE + 2, opacity: 0.45 }), make({ strokeWidth: LINE })];
}

/** A name on the colour of its class, standing on the shape. */
function name() {
  const group = new Konva.Label({ listening: false, visible: false, offsetX: 1 });
  const tag = new Konva.Tag({ cornerRadius: 3, perfectDrawEnabled: false });
  const text = new Konva.Text({ fontSize: 12, fontStyle: "600", padding: 3, fontFamily: "system-ui, sans-serif", perfectDrawEnabled: false });
  group.add(tag, text);
  return {
    group,
    show(words, color, [x, y], one) {
      // Letters are measured only when they are others.
      if (text.text() !== words) {
        text.text(words);
        group.offsetY(text.height() + 1);
      }
      text.fill(inkOn(color));
      tag.fill(color);
      group.setAttrs({ x, y, scaleX: one, scaleY: one, visible: true });
    },
    hide: () => group.visible(false),
  };
}
