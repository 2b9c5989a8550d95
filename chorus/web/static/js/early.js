/** Forms sent before their scripts have come, as on a slow line. The browser would load the page
 * anew with what was typed in its address, the password too; so the form waits, and is sent when
 * the scripts are here. One that no script sends, as filters, goes nowhere, then or later. No
 * module: it has to be there before the first form is. */
{
  /** @type {Map<HTMLFormElement, HTMLElement | null> | null} */
  let waiting = new Map();

  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (event.defaultPrevented || form.method === "dialog") return;
    event.preventDefault();
    waiting?.set(form, event.submitter);
  });

  // Modules in the page have run by then.
  document.addEventListener("DOMContentLoaded", () => {
    const sent = waiting ?? new Map();
    waiting = null;
    for (const [form, button] of sent) form.requestSubmit(button);
  });
}
