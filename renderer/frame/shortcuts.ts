// Shortcuts: what the keyboard does on every screen. The desktop's menu has the first two as well; a browser keeps Ctrl+N.
import type { Place } from '../state/route.svelte.ts';

export type Shortcut = 'new' | 'settings' | 'close';

/** What of a key press counts. */
export type Press = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey' | 'isComposing' | 'defaultPrevented'>;

/** What a key press asks for; null where it is for somebody else. */
export function shortcutOf({ key, ctrlKey, metaKey, shiftKey, altKey, isComposing, defaultPrevented }: Press): Shortcut | null {
  if (defaultPrevented || isComposing || shiftKey || altKey) return null;
  if (key === 'Escape' && !ctrlKey && !metaKey) return 'close';
  // Both at once are another program's.
  if (ctrlKey === metaKey) return null;
  if (key === ',') return 'settings';
  return key.toLowerCase() === 'n' ? 'new' : null;
}

/** Where a shortcut leads. */
export const shortcutPlaces: Readonly<Record<Exclude<Shortcut, 'close'>, Place>> = {
  new: { screen: 'name', subject: null },
  settings: { screen: 'settings', subject: null },
};
