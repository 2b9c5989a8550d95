/** What is drawn on a picture, over its thumbnail. */
import { outlineOf } from "./shapes.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * The picture with its shapes; the same as `image` where there are none.
 * @param {HTMLImageElement} image
 * @param {import("./geometry.js").Size} size of the full picture
 * @param {import("./shapes.js").Shape[]} shapes
 * @param {(name: string) => Record<string, string>} colors
 * @returns {HTMLElement}
 */
export function withShapes(image, { width, height }, shapes, colors) {
  const holder = document.createElement("span");
  holder.className = "shape-thumb";
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${Math.max(1, width)} ${Math.max(1, height)}`);
  svg.setAttribute("aria-hidden", "true");
  // As the picture lies in its frame: cut at its sides, or whole (content.css says which).
  svg.setAttribute("preserveAspectRatio", "xMidYMid slice");
  for (const shape of shapes) {
    const node = document.createElementNS(SVG, "polygon");
    node.setAttribute("points", outlineOf(shape).map((p) => p.join(",")).join(" "));
    node.setAttribute("stroke", colors(shape.cls).c);
    if (shape.by === "model") node.setAttribute("stroke-dasharray", "4 3");
    svg.append(node);
  }
  holder.append(image, svg);
  return holder;
}

/** Show the whole picture in its frame instead of filling that. @param {HTMLElement} holder */
export function whole(holder) {
  holder.querySelector("svg")?.setAttribute("preserveAspectRatio", "xMidYMid meet");
  return holder;
}
