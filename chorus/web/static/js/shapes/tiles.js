/**
 * Which pieces of a large picture are needed for what is seen. Pure. The picture comes whole, at most
 * `WHOLE` pixels; beyond that in tiles of `TILE` pixels, of level 0 (full size), 1 (half) and so on.
 */

export const WHOLE = 1024;
export const TILE = 1024;

/** The levels there are, 0 the largest: as long as one is larger than the whole picture is. */
export function levelsOf({ width, height }) {
  let levels = 0;
  for (let longest = Math.max(width, height); longest > WHOLE; longest /= 2) levels += 1;
  return levels;
}

/**
 * @param {import("./geometry.js").Size} size
 * @param {import("./view.js").View} view
 * @param {import("./geometry.js").Size} room
 * @param {number} density device pixels for a CSS pixel
 * @returns {{level: number, column: number, row: number, box: import("./geometry.js").Box}[]}
 *   those nearest to the middle of the room first; none where the whole picture is sharp enough
 */
export function tilesFor(size, view, room, density = 1) {
  const levels = levelsOf(size);
  // Pixels of the screen for one of the picture.
  const wanted = view.scale * density;
  if (!levels || wanted <= WHOLE / Math.max(size.width, size.height)) return [];
  const level = Math.max(0, Math.min(levels - 1, Math.floor(-Math.log2(wanted))));
  const step = TILE * 2 ** level;
  const first = (at, most) => Math.max(0, Math.min(most - 1, Math.floor(-at / view.scale / step)));
  const last = (at, length, most) => Math.max(0, Math.min(most - 1, Math.floor((length - at) / view.scale / step)));
  const [columns, rows] = [Math.ceil(size.width / step), Math.ceil(size.height / step)];
  const out = [];
  for (let row = first(view.y, rows); row <= last(view.y, room.height, rows); row++) {
    for (let column = first(view.x, columns); column <= last(view.x, room.width, columns); column++) {
      const [x, y] = [column * step, row * step];
      out.push({ level, column, row, box: [x, y, Math.min(step, size.width - x), Math.min(step, size.height - y)] });
    }
  }
  const middle = [(room.width / 2 - view.x) / view.scale, (room.height / 2 - view.y) / view.scale];
  const far = ({ box: [x, y, w, h] }) => Math.hypot(x + w / 2 - middle[0], y + h / 2 - middle[1]);
  return out.sort((a, b) => far(a) - far(b));
}
