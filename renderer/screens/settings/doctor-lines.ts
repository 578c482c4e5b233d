// Doctor lines: what works on this machine, in words.
import type { DoctorReport } from '../../../shared/doctor.ts';
import { gpuWords } from '../../../shared/i18n/gpu-words.ts';
import { currentLanguage, explainStored, t } from '../../state/words.svelte.ts';

export interface DoctorLine {
  good: boolean;
  words: string;
}

/** Less free disk than this is too little to train with. */
const LITTLE_DISK = 1e9;
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);

export function doctorLines(report: DoctorReport): DoctorLine[] {
  const { engine_error: error, isa } = report;
  return [
    error === null ? { good: true, words: t('doctor.engine', { isa: isa.auto ?? '–' }) } : { good: false, words: explainStored(error.code, error.detail) },
    ...gpuWords(currentLanguage(), report.gpu),
    { good: true, words: t('doctor.memory', { free: gigabytes(report.free_memory_bytes), total: gigabytes(report.total_memory_bytes) }) },
    { good: report.free_disk_bytes >= LITTLE_DISK, words: t('doctor.disk', { free: gigabytes(report.free_disk_bytes) }) },
    // One that is not here yet is fetched when it is needed.
    { good: true, words: t(report.default_model.here ? 'settings.model_here' : 'settings.model_absent', { model: report.default_model.id }) },
  ];
}

/** The report as text to be pasted where one asks for help. */
export function doctorText(report: DoctorReport): string {
  const { version, platform, node } = report;
  return [`Namesake ${version} · ${platform} · Node.js ${node}`, ...doctorLines(report).map(({ good, words }) => `${good ? '✓' : '✗'} ${words}`)].join('\n');
}
