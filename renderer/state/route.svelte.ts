// Route: which screen is shown, as the page's address says it: reloading or sharing an address comes back to the same place.

/** The five steps, in the data's order. */
export const steps = ['name', 'learn', 'train', 'compare', 'take-home'] as const;
export type Step = (typeof steps)[number];

export type Place =
  /** A new assistant: nothing stored yet. */
  | { screen: 'name'; subject: null }
  /** A draft: its names, its rows, its settings. */
  | { screen: 'name' | 'learn' | 'train'; subject: { draft: string } }
  /** A run; null = the step that fits how far it is. */
  | { screen: Step | null; subject: { run: string } }
  | { screen: 'assistants' | 'settings'; subject: null };

const isStep = (word: string): word is Step => (steps as readonly string[]).includes(word);

/** The place that a hash names ('#run/ID/compare'); what is no place is the first screen. */
export function placeOf(hash: string): Place {
  const [subject = '', id = '', word = ''] = hash.replace(/^#/, '').split('/');
  if (subject === 'assistants' || subject === 'settings') return { screen: subject, subject: null };
  if (!/^[\w-]+$/.test(id)) return { screen: 'name', subject: null };
  if (subject === 'run') return { screen: isStep(word) ? word : null, subject: { run: id } };
  if (subject === 'draft') return { screen: word === 'name' || word === 'train' ? word : 'learn', subject: { draft: id } };
  return { screen: 'name', subject: null };
}

/** The hash that names a place. */
export function hashOf(place: Place): string {
  const { screen, subject } = place;
  if (subject === null) return screen === 'name' ? '#new' : `#${screen}`;
  const [kind, id] = 'run' in subject ? ['run', subject.run] : ['draft', subject.draft];
  return screen === null ? `#${kind}/${id}` : `#${kind}/${id}/${screen}`;
}

/** The page's address, followed. */
export class Route {
  #place = $state.raw<Place>(placeOf(location.hash));

  constructor() {
    addEventListener('hashchange', () => {
      this.#place = placeOf(location.hash);
    });
  }

  get place(): Place {
    return this.#place;
  }

  /** Goes to a place; `replace` leaves no step back to the present one. */
  go(place: Place, { replace = false } = {}): void {
    const hash = hashOf(place);
    if (hash === location.hash) return;
    if (replace) {
      history.replaceState(null, '', hash);
      this.#place = place;
    } else location.hash = hash;
  }
}
