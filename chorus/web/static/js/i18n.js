/**
 * Words in the person's language: gettext's functions over the catalog that came with the page. An
 * English text is its own key, so without a catalog everything is English. Pure.
 */

const ORDER = ["zero", "one", "two", "few", "many", "other"];

/** @type {Record<string, string|string[]>} a text's translation; several where it depends on a number */
const catalog = JSON.parse(document.body?.dataset.catalog ?? "{}");

/** As in `<html lang>`. */
export const language = document.documentElement.lang || "en";

const rules = new Intl.PluralRules(language);
const forms = ORDER.filter((form) => rules.resolvedOptions().pluralCategories.includes(form));
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });

/** @param {string} text in English @param {Record<string, any>} [values] of its `%(name)s` */
export function _(text, values) {
  return put(of(text, 0) ?? text, values);
}

/** A text that depends on a number, which is its `%(n)s`, too. */
export function ngettext(one, many, n, values = {}) {
  const english = n === 1 ? one : many;
  return put(of(one, forms.indexOf(rules.select(n))) ?? english, { n: whole.format(n), ...values });
}

function of(text, form) {
  const found = catalog[text];
  return Array.isArray(found) ? found[Math.max(0, Math.min(form, found.length - 1))] : found;
}

function put(text, values) {
  return values ? text.replace(/%\((\w+)\)s/g, (whole, name) => String(values[name] ?? whole)) : text;
}
