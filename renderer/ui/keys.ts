// Keys: what a press of a key means while an input method puts characters together.

/** What of a key press counts. */
export type KeyPress = Pick<KeyboardEvent, 'key' | 'isComposing' | 'keyCode'>;

/**
 * The press belongs to an input method: it is nothing to act on. Some browsers end the composition before they tell of its
 * last key, and tell of it as 229.
 */
export function composing({ isComposing, keyCode }: Omit<KeyPress, 'key'>): boolean {
  return isComposing || keyCode === 229;
}

/** Enter, and the person's own. */
export function isEnter(event: KeyPress): boolean {
  return event.key === 'Enter' && !composing(event);
}
