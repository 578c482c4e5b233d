// Model plan: whether a model fits, what it needs and on what, in the words of the page.
import { isCard } from '../../../shared/device.ts';
import { placementWords } from '../../../shared/i18n/placement-words.ts';
import type { MemoryQuestion, Placement } from '../../../shared/memory.ts';
import type { ModelCard } from '../../../shared/model.ts';
import { bytes } from '../../format.ts';
import { currentLanguage, t } from '../../state/words.svelte.ts';

type Planned = Pick<ModelCard, 'fits' | 'needs_bytes' | 'available_bytes' | 'placement'>;

function isOnCard(placement: Placement | null): placement is Placement {
  return placement !== null && isCard(placement.device);
}

/** Whether it fits, in two or three words; '' where that cannot be told. */
export function fitWords({ fits, placement }: Planned): string {
  if (fits === null) return '';
  if (!fits) return t('model.too_large');
  return t(isOnCard(placement) ? 'model.fits_card' : 'model.fits');
}

/** What it needs and what is free, of what computes it. */
export function needWords({ needs_bytes, available_bytes, placement }: Planned): string {
  if (needs_bytes === null) return t('model.needs_unknown');
  if (isOnCard(placement)) return placementWords(currentLanguage(), placement).join(' ');
  return t('model.needs', { needs: bytes(needs_bytes), available: bytes(available_bytes) });
}

/**
 * The lines under a model that is chosen: what the card has room for, or why the processor computes, and what is too little.
 * Where a device was chosen by its name, nothing leads elsewhere: of a card only its numbers are said.
 */
export function planLines(model: Planned, device: MemoryQuestion['device']): { good: boolean; words: string }[] {
  const { placement, fits, needs_bytes } = model;
  const lines: { good: boolean; words: string }[] = [];
  if (placement !== null && (device === 'auto' || isCard(device))) {
    const shown = device === 'auto' ? placement : { ...placement, no_card: null };
    const good = device === 'auto' || isOnCard(placement);
    lines.push(...placementWords(currentLanguage(), shown).map((words) => ({ good, words })));
  }
  if (fits === false && needs_bytes !== null && !isOnCard(placement)) lines.push({ good: false, words: needWords(model) });
  return lines;
}
