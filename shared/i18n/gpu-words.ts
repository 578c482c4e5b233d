// gpuWords: a machine's NVIDIA cards in words, the same on the command line and on the screen.
import { isWithoutCard, type GpuCard, type GpuReport } from '../doctor.ts';
import { NamesakeError } from '../errors.ts';
import type { Language } from '../persona.ts';
import { explainError, translate } from './translate.ts';

interface Line {
  good: boolean;
  words: string;
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);

/** A line for each card, or for why there is none, and one where Windows manages a card; then what computes. Nothing where nobody could be asked. */
export function gpuWords(language: Language, report: GpuReport | null): Line[] {
  if (report === null) return [];
  const { cards, driver, problem } = report;
  const explain = ({ code, detail }: NonNullable<GpuReport['problem']>): string => explainError(language, new NamesakeError(code, detail));
  const ofCard = (card: GpuCard): Line => {
    if (card.problem !== null) return { good: false, words: explain(card.problem) };
    const values = { name: card.name, free: gigabytes(card.free_memory_bytes ?? 0), total: gigabytes(card.total_memory_bytes) };
    return { good: true, words: translate(language, 'doctor.gpu', { ...values, capability: card.compute_capability, driver: driver ?? '–' }) };
  };
  const lines = cards.map(ofCard);
  if (lines.length === 0 && problem !== null) {
    lines.push({ good: isWithoutCard(problem), words: explain(problem) });
  }
  // Where Windows manages the card, its free memory comes and goes with what is on the screen.
  if (cards.some((card) => card.wddm && card.problem === null)) lines.push({ good: true, words: translate(language, 'doctor.gpu_wddm') });
  return [...lines, { good: true, words: translate(language, report.chosen === null ? 'doctor.gpu_none' : 'doctor.gpu_choose') }];
}
