/**
 * What of a picture is seen, and how large. Pure: a point p of the picture is at `p · scale + x, y`
 * of the room, which is in CSS pixels.
 *
 * @typedef {{scale: number, x: number, y: number}} View
 * @typedef {import("./geometry.js").Size} Size
 */

/** So many CSS pixels for one of the picture's: to the pixel, and not further. */
const CLOSEST = 40;
/** Small pictures are shown larger, but not as a blur. */
const ENLARGE_MOST = 4;
const MARGIN = 12;

/** All of the picture in the middle of the room. @param {Size} size @param {Size} room @returns {View} */
export function fitting(size, room) {
  const wide = Math.max(1, room.width - 2 * MARGIN) / Math.max(1, size.width);
  const high = Math.max(1, room.height - 2 * MARGIN) / Math.max(1, size.height);
  const scale = Math.min(wide, high, ENLARGE_MOST);
  return { scale, x: (room.width - size.width * scale) / 2, y: (room.height - size.height * scale) / 2 };
}

/**
 * Larger or smaller by a factor, while what is at the point `at` of the room stays there.
 * @param {View} view @param {number} factor @param {[number, number]} at
 */
export function zoomed(view, factor, at, size, room) {
  const least = fitting(size, room).scale;
  const scale = Math.max(Math.min(least, CLOSEST), Math.min(CLOSEST, view.scale * factor));
  const ratio = scale / view.scale;
  return kept({ scale, x: at[0] - (at[0] - view.x) * ratio, y: at[1] - (at[1] - view.y) * ratio }, size, room);
}

/** @param {View} view @param {[number, number]} by */
export function panned(view, [dx, dy], size, room) {
  return kept({ ...view, x: view.x + dx, y: view.y + dy }, size, room);
}

/** The picture does not leave the room: where it is smaller than that, it is in the middle. */
export function kept(view, size, room) {
  const along = (at, length, most) => {
    if (length + 2 * MARGIN <= most) return (most - length) / 2;
    return Math.max(most - length - MARGIN, Math.min(MARGIN, at));
  };
  return {
    scale: view.scale,
    x: along(view.x, size.width * view.scale, room.width),
    y: along(view.y, size.height * view.scale, room.height),
  };
}

/** Moved so that a box is in the room, if it is not. @param {import("./geometry.js").Box} box */
export function showing(view, [x, y, w, h], size, room) {
  const shift = (from, length, most) => {
    const [a, b] = [from, from + length];
    if (a >= 0 && b <= most) return 0;
    return length > most ? most / 2 - (a + b) / 2 : a < 0 ? MARGIN - a : most - MARGIN - b;
  };
  const by = [
    shift(x * view.scale + view.x, w * view.scale, room.width),
    shift(y * view.scale + view.y, h * view.scale, room.height),
  ];
  return by[0] || by[1] ? panned(view, by, size, room) : view;
}

/** @param {[number, number]} at of the room @returns {[number, number]} of the picture */
export function toPicture(view, [x, y]) {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}
