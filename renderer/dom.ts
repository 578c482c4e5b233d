// Dom: making elements and keeping their words up to date, without a framework.

type Child = Node | string | null;
type Properties = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** Sets attributes, listeners (a function under its event's name) and, for true and false, attributes that are there or not. */
function setAll(element: Element, properties: Properties): void {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name, value as EventListener);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
}

/** An HTML element with its attributes, listeners and children. Strings become text, never markup. */
export function h<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, properties: Properties = {}, ...children: Child[]): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  setAll(element, properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An SVG element. */
export function svg<Tag extends keyof SVGElementTagNameMap>(tag: Tag, properties: Properties = {}, ...children: Child[]): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  setAll(element, properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Puts text into a node where it differs: a screen reader hears what changed only. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** A part of the page. `update` brings everything in it up to date with the state and the language. */
export abstract class View {
  abstract readonly element: HTMLElement;
  readonly #parts: (() => void)[] = [];

  update(): void {
    for (const part of this.#parts) part();
  }

  /** Runs `part` now and at every update. */
  protected live(part: () => void): void {
    this.#parts.push(part);
    part();
  }

  /** A text node that says what `words` gives, in the language of the moment. */
  protected text(words: () => string): Text {
    const node = document.createTextNode('');
    this.live(() => setText(node, words()));
    return node;
  }
}
