// Elements of the page. Every text becomes a text node: nothing that a user or a model says is read as markup.

export const $ = id => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  return fill(element, ...children);
}

export function fill(element, ...children) { // with these alone; null is no child, and no word either
  element.replaceChildren(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

export const button = (className, onclick, ...children) =>
  make("button", {type: "button", className, onclick}, ...children);

export function keyed(focus, element) { // what has the focus under a key has it again after a drawing
  element.dataset.focus = focus;
  return element;
}

export const name = text => make("bdi", {}, text); // with a direction of its own

export function bar(share, className = "") { // a share as a length; its figure stands beside it
  const fill = make("i"), width = `${Math.max(100 * share, 0.5)}%`;
  fill.style.width = width;
  return make("span", {className: `bar ${className}`, "aria-hidden": "true"}, fill);
}
