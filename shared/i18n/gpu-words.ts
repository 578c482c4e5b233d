// gpuWords: a machine's NVIDIA cards in words, the same on the command line and on the screen.
import { cardNamed } from '../device.ts';
import { isWithoutCard, type GpuCard, type GpuReport, type Problem } from '../doctor.ts';
import { NamesakeError } from '../errors.ts';
import type { Language } from '../persona.ts';
import { explainError, translate } from './translate.ts';

interface Line {
  good: boolean;
  words: string;
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);

/**
 * A line for each card, or for why there is none, and one where Windows manages a card; then what computes. Of several cards each has
 * its number, and the one that is taken is told.
 * Nothing where nobody could be asked.
 */
export function gpuWords(language: Language, report: GpuReport | null): Line[] {
  if (report === null) return [];
  const { cards, driver, problem } = report;
  const several = cards.length > 1;
  const usable = cards.filter((card) => card.problem === null);
  const explain = ({ code, detail }: Problem): string => explainError(language, new NamesakeError(code, detail));
  const ofCard = (card: GpuCard): Line => {
    const device = cardNamed(card.ordinal);
    if (card.problem !== null) {
      const { code, detail } = card.problem;
      return { good: false, words: explain({ code, detail: several ? `${device}: ${detail}` : detail }) };
    }
    const values = { name: card.name, free: gigabytes(card.free_memory_bytes ?? 0), total: gigabytes(card.total_memory_bytes) };
    const more = { device, chosen: card.ordinal === report.chosen ? 'yes' : 'no', capability: card.compute_capability, driver: driver ?? '–' };
    return { good: true, words: translate(language, several ? 'doctor.gpu_of_several' : 'doctor.gpu', { ...values, ...more }) };
  };
  const lines = cards.map(ofCard);
  if (lines.length === 0 && problem !== null) {
    lines.push({ good: isWithoutCard(problem), words: explain(problem) });
  }
  // Where Windows manages the card, its free memory comes and goes with what is on the screen.
  if (usable.some((card) => card.wddm)) lines.push({ good: true, words: translate(language, 'doctor.gpu_wddm') });
  const other = usable.find((card) => card.ordinal !== report.chosen);
  if (other !== undefined) lines.push({ good: true, words: translate(language, 'doctor.gpu_by_number', { device: cardNamed(other.ordinal) }) });
  return [...lines, { good: true, words: translate(language, report.chosen === null ? 'doctor.gpu_none' : 'doctor.gpu_choose') }];
}
