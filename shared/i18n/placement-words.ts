// placementWords: what a plan found out about the machine's card, in words, the same on the command line and on the screen.
import { isWithoutCard } from '../doctor.ts';
import { NamesakeError } from '../errors.ts';
import type { Placement } from '../memory.ts';
import type { Language } from '../persona.ts';
import { explainError, translate } from './translate.ts';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** What the card has room for, or why the processor computes although there is one; nothing where there is none, or it was not asked for. */
export function placementWords(language: Language, { card, no_card }: Placement): string[] {
  const values = card === null ? {} : { card: card.name, needs: gigabytes(card.needs), free: gigabytes(card.free) };
  if (no_card === null) return card === null ? [] : [translate(language, 'card.takes', values)];
  if (isWithoutCard(no_card)) return [];
  const why = card === null ? explainError(language, new NamesakeError(no_card.code, no_card.detail)) : translate(language, 'card.short', values);
  return [why, translate(language, 'card.processor')];
}
