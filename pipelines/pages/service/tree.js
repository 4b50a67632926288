// The tree beside the answer: to look around, to search, and to choose the label that is right.
// One of its items can be reached by Tab; arrows, Home, End, Enter and first letters do the rest, as in a list of files.

import {$, button, fill, make, name} from "./dom.js";
import {counted, HARDLY, isolated, say, share, whole} from "./words.js";

const FIRST_FOUND = 200;
const folded = text => text.normalize("NFKC").toLowerCase();

export class Tree {
  // onChoose(id) is called with the label that a person says is right; refusal() tells why nobody can, if so.
  constructor({refusal, onChoose}) {
    Object.assign(this, {refusal, onChoose, groups: [], opened: new Set(), chosen: null, shares: new Map()});
    this.nodes = $("nodes");
    this.nodes.onclick = event => this.act(event.target.closest("[role=treeitem]"));
    this.nodes.onkeydown = event => this.press(event);
    $("find").oninput = () => this.draw();
    $("find").onkeydown = event => this.leaveSearch(event);
  }

  load(groups) {
    this.groups = groups.map(group => ({...group, folded: folded(`${group.name}\n${group.id}`),
      labels: group.labels.map(label => ({...label, group, folded: folded(`${label.name}\n${label.id}`)}))}));
    this.labels = new Map(this.groups.flatMap(group => group.labels.map(label => [label.id, label])));
    this.byGroup = new Map(this.groups.map(group => [group.id, group]));
    if (!this.labels.has(this.chosen)) this.chosen = null;
    this.draw();
  }

  mark(paths) { // the probabilities of an answer; its first group is opened
    this.shares = new Map(paths.map(({label, probability}) => [label, probability]));
    this.chosen = null;
    $("find").value = "";
    this.opened = new Set(paths.slice(0, 1).map(({group}) => group));
    this.draw();
    this.nodes.scrollTop = 0;
    this.show(this.item(paths[0]?.label));
  }

  choose(id, {focus = false} = {}) {
    const label = this.labels.get(id);
    if (!label) return;
    this.chosen = id;
    if (!this.found().some(({labels}) => labels.includes(label))) $("find").value = "";
    this.opened.add(label.group.id);
    this.draw();
    this.show(this.item(id));
    if (focus) this.item(id).focus();
  }

  draw() {
    const hadFocus = this.nodes.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const isSearch = $("find").value.trim() !== "", found = this.found();
    const n = found.reduce((sum, {labels}) => sum + labels.length, 0), first = whole(FIRST_FOUND);
    $("found").textContent = !isSearch ? "" : n > FIRST_FOUND ? say("found_first", {n: whole(n), first})
      : n ? counted("found", n) : say("found_none");
    let room = isSearch ? FIRST_FOUND : Infinity;
    fill(this.nodes, found.filter(() => room > 0).map(({group, labels}) => {
      const isOpen = isSearch || this.opened.has(group.id), few = labels.slice(0, room);
      room -= isOpen ? few.length : 0;
      return this.groupItem(group, isOpen, few);
    }));
    this.reach(this.item(hadFocus) || this.item(this.chosen) || this.nodes.querySelector("[role=treeitem]"));
    if (hadFocus) this.item(hadFocus)?.focus();
    this.tell();
  }

  found() { // groups with the labels that the search finds; a group that is found itself has all
    const wanted = folded($("find").value.trim());
    return this.groups.map(group => ({group,
      labels: group.folded.includes(wanted) ? group.labels : group.labels.filter(label => label.folded.includes(wanted)),
    })).filter(({labels}) => labels.length || !wanted);
  }

  groupItem(group, isOpen, labels) {
    const part = group.labels.reduce((sum, {id}) => sum + (this.shares.get(id) ?? 0), 0);
    return make("li", {role: "treeitem", "aria-level": "1", "aria-expanded": String(isOpen), tabIndex: -1,
      "data-key": `group ${group.id}`, "data-group": group.id, "aria-label": group.name},
    make("span", {className: `node${part >= HARDLY ? " likely" : ""}`}, name(group.name), make("small", {}, whole(group.labels.length))),
    isOpen ? make("ul", {role: "group"}, labels.map(label => this.labelItem(label))) : null);
  }

  labelItem({id, name: called}) {
    const part = this.shares.get(id);
    return make("li", {role: "treeitem", "aria-level": "2", "aria-selected": String(id === this.chosen), tabIndex: -1,
      "data-key": id, "data-label": id},
    make("span", {className: "node"}, name(called), part === undefined || part < HARDLY ? null : make("small", {}, share(part))));
  }

  tell() {
    const label = this.labels?.get(this.chosen), place = $("chosen"), refusal = label && this.refusal();
    place.hidden = !label;
    if (!label) return;
    fill(place,
      make("p", {className: "words"}, name(label.name)),
      make("p", {}, name(say("in_group", {group: isolated(label.group.name)})), label.id === label.name ? "" : ` · ${isolated(label.id)}`),
      label.description ? make("p", {}, name(label.description)) : null,
      refusal ? make("p", {className: "note"}, refusal) : button("main", () => this.onChoose(label.id), say("choose")));
  }

  item(key) {
    return key === undefined || key === null ? null : this.nodes.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  show(item) { // within its box: the page itself stays where it is
    const node = item?.firstElementChild;
    if (node) this.nodes.scrollTop += node.getBoundingClientRect().top - this.nodes.getBoundingClientRect().top - this.nodes.clientHeight / 3;
  }

  reach(item) {
    for (const one of this.nodes.querySelectorAll("[tabindex='0']")) one.tabIndex = -1;
    if (item) item.tabIndex = 0;
  }

  act(item) {
    if (!item) return;
    item.focus();
    if (item.dataset.label !== undefined) return this.choose(item.dataset.label, {focus: true});
    if ($("find").value.trim() === "") this.open(item.dataset.group, !this.opened.has(item.dataset.group));
  }

  open(group, isOpen) {
    if (isOpen) this.opened.add(group);
    else this.opened.delete(group);
    this.draw();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...this.nodes.querySelectorAll("[role=treeitem]")], now = event.target.closest("[role=treeitem]");
    const place = items.indexOf(now), {group} = now.dataset, isOpen = now.getAttribute("aria-expanded") === "true";
    const go = {
      ArrowDown: () => items[place + 1], ArrowUp: () => items[place - 1], Home: () => items[0], End: () => items.at(-1),
      ArrowRight: () => group === undefined ? null : isOpen ? items[place + 1] : this.open(group, true),
      ArrowLeft: () => group === undefined ? now.parentElement.closest("[role=treeitem]") : isOpen ? this.open(group, false) : null,
      Enter: () => this.act(now), " ": () => this.act(now),
    }[event.key] ?? (event.key.length === 1 ? () => this.next(items, place, folded(event.key)) : null);
    if (!go) return;
    event.preventDefault();
    const next = go();
    if (next) {
      this.reach(next);
      next.focus();
    }
  }

  next(items, place, letter) {
    return [...items.slice(place + 1), ...items.slice(0, place)].find(item => folded(item.textContent).startsWith(letter));
  }

  leaveSearch(event) {
    if (event.key === "Escape") {
      $("find").value = "";
      this.draw();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      const item = this.nodes.querySelector($("find").value.trim() ? "[data-label]" : "[role=treeitem]");
      if (event.key === "Enter" && item?.dataset.label !== undefined) this.choose(item.dataset.label, {focus: true});
      else item?.focus();
    }
  }
}
