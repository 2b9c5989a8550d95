/** Brightness and contrast of what a person looks at: two sliders. The picture itself stays as it is. */
import { $, setText } from "./dom.js";

export class Light {
  /**
   * @param {HTMLElement} root the inputs `brightness` and `contrast` (per cent), and `.light-reset`
   * @param {(filter: string) => void} apply takes a CSS filter; empty: as it is
   * @param {() => void} [done] after the pointer has left a slider
   */
  constructor(root, apply, done = () => {}) {
    const inputs = ["brightness", "contrast"].map((name) => $(`[name="${name}"]`, root));
    const show = () => {
      const plain = inputs.every((input) => input.value === "100");
      for (const input of inputs) setText(input.nextElementSibling, `${input.value} %`);
      root.dataset.changed = String(!plain);
      apply(plain ? "" : inputs.map((input) => `${input.name}(${input.value}%)`).join(" "));
    };
    for (const input of inputs) {
      input.addEventListener("input", show);
      input.addEventListener("pointerup", done);
    }
    $(".light-reset", root).addEventListener("click", () => {
      for (const input of inputs) input.value = "100";
      show();
    });
    show();
  }
}
