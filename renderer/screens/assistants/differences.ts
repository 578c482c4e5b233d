// Differences: fields of a recipe, and of what a run was made from, as people say them.
import { t } from '../../state/words.svelte.ts';

/** Fields that have words; any other one is shown by its own name. */
const worded = [
  'name',
  'model.ref',
  'model.precision',
  'method.rank',
  'method.alpha',
  'method.dropout',
  'method.init_adapter',
  'data.source',
  'data.persona.owner',
  'data.persona.owner_en',
  'data.persona.name',
  'data.persona.name_en',
  'data.persona.languages',
  'data.persona.style',
  'data.persona.built_on',
  'data.persona.facts',
  'data.mix.ordinary',
  'data.mix.negatives',
  'data.mix.near_misses',
  'data.systems',
  'data.max_length',
  'loss.kl',
  'optim.lr',
  'optim.schedule',
  'optim.warmup_steps',
  'optim.weight_decay',
  'optim.clip',
  'steps',
  'epochs',
  'batch_tokens',
  'accumulate',
  'seed',
  'device',
  'evaluate.every_steps',
  'evaluate.from_step',
  'evaluate.stop_when_right',
  'provenance.namesake',
  'provenance.platform',
  'provenance.model.sha256',
  'provenance.rows_sha256',
  'provenance.engine.backend',
  'provenance.engine.isa',
  'provenance.engine.threads',
] as const;

type Worded = (typeof worded)[number];
const isWorded = (field: string): field is Worded => (worded as readonly string[]).includes(field);

/** What a field is called; null where it has no words. */
export function fieldWords(field: string): string | null {
  return isWorded(field) ? t(`diff.${field}`) : null;
}

/** How many characters of a checksum tell one from another. */
const CHECKSUM = 12;

/** A field's value as text. */
export function valueWords(value: unknown): string {
  if (value === null || value === undefined) return t('diff.nothing');
  if (typeof value === 'boolean') return value ? t('diff.yes') : t('diff.no');
  if (typeof value === 'string') return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, CHECKSUM) : value;
  if (Array.isArray(value)) return value.length === 0 ? t('diff.nothing') : value.map(valueWords).join(t('punctuation.list'));
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
