// The pages on which most conversions occurred, and the most frequent steps to them.

import { breakable, element, figure, part, place } from "./elements.js";
import { write } from "./address.js";

const MOST = 8;

export function tellTops({ key, filters, tally }) {
  const linkTo = (page) => write({ key, query: { ...filters, conversion_page: page } });
  tell("pages", tally.pages, (page) => [element("a", { href: linkTo(page) }, ...breakable(page))]);
  tell("paths", tally.paths, (path) => {
    const [previous, page] = JSON.parse(path);
    const from = previous === null ? [element("span", { class: "null" }, "null")] : breakable(previous);
    return [...from, element("br"), "→ ", ...breakable(page)];
  });
}

function tell(id, counts, name) {
  const top = [...counts].sort(([, one], [, other]) => other - one).slice(0, MOST);
  const item = ([what, number]) =>
    place(element("li", {}, element("span", {}, ...name(what)), element("span", {}, figure(number))), {
      share: `${(100 * number) / top[0][1]}%`,
    });
  part(id).replaceChildren(...top.map(item));
}
