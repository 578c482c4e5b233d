// Device: what computes, by its name in recipes, flags and messages.

/** A card: the one with the most free memory, or the one that the driver counts as N. */
export type CardDevice = 'cuda' | `cuda:${string}`;
export type Device = 'cpu' | CardDevice | 'reference';

/** How a card is named. */
export const CARD_NAME = /^cuda(:\d{1,2})?$/;

/** Whether a card is asked for by name. */
export function isCard(device: string): device is CardDevice {
  return CARD_NAME.test(device);
}

/** The number of the card that a device names; null where it names none. */
export function ordinalOf(device: string): number | null {
  const number = CARD_NAME.exec(device)?.[1];
  return number === undefined ? null : Number(number.slice(1));
}

/** How the card of this number is named. */
export function cardNamed(ordinal: number): CardDevice {
  return `cuda:${ordinal}`;
}
