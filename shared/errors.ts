// Errors: one union of codes. Their wording lives in shared/i18n (error.CODE); native/include/namesake/status.h has the
// codes that the engine itself raises, and a test keeps them inside this list.

export const errorCodes = [
  'cancelled',
  'usage.invalid',
  'internal',
  // models
  'model.unknown',
  'model.not_found',
  'model.unreadable',
  'model.truncated',
  'model.invalid',
  'model.unknown_format',
  'model.unknown_architecture',
  'model.unknown_block',
  'model.missing_tensor',
  'model.tokenizer_invalid',
  'model.template_missing',
  'model.template_invalid',
  'model.template_token_missing',
  'model.checksum_mismatch',
  'model.source_unsupported',
  'model.licence_required',
  'model.in_use',
  'model.ambiguous',
  'download.failed',
  'download.denied',
  // adapters and checkpoints
  'adapter.unreadable',
  'adapter.invalid',
  'adapter.mismatch',
  'checkpoint.invalid',
  // recipes, personas, rows
  'recipe.unreadable',
  'recipe.invalid',
  'recipe.unknown',
  'recipe.unsupported',
  'persona.invalid',
  'rows.unreadable',
  'rows.invalid',
  'rows.placeholder',
  'rows.too_long',
  'rows.empty',
  'questions.invalid',
  'context.overflow',
  // runs
  'run.unknown',
  'run.not_resumable',
  'run.no_checkpoint',
  'run.not_active',
  'run.active',
  'training.diverged',
  // drafts, chats, files
  'draft.unknown',
  'chat.unknown',
  'chat.busy',
  'file.unknown',
  'file.too_large',
  'export.not_empty',
  'export.unsupported',
  // the window doors
  'request.unknown',
  'request.invalid',
  'request.too_large',
  'request.too_many',
  'door.refused',
  'door.unauthorized',
  'door.unsupported',
  'door.insecure',
  'door.taken',
  'door.lost',
  // machine
  'node.too_old',
  'memory.insufficient',
  'disk.full',
  'disk.unwritable',
  'home.newer',
  'home.damaged',
  'device.unavailable',
  'gpu.no_driver',
  'gpu.driver_unusable',
  'gpu.driver_too_old',
  'gpu.no_card',
  'gpu.no_such_card',
  'gpu.card_too_old',
  'gpu.memory_insufficient',
  'gpu.failed',
  'isa.unsupported',
  'engine.missing',
  'engine.incompatible',
  'engine.busy',
  'engine.closed',
  'engine.crashed',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export type ErrorParams = Record<string, string | number>;

/** An error that people and scripts can act on: a code, the values its wording needs, and a technical detail. */
export class NamesakeError extends Error {
  override readonly name = 'NamesakeError';
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  /** One English sentence for "copy details": what was found where. */
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, params: ErrorParams = {}) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.detail = detail;
    this.params = params;
  }
}

/** The code list as a set, for values that come from outside. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && (errorCodes as readonly string[]).includes(value);
}

/** Any thrown value as a NamesakeError; what is not one becomes `internal` with its message as detail. */
export function toNamesakeError(error: unknown): NamesakeError {
  if (error instanceof NamesakeError) return error;
  return new NamesakeError('internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
}
