// Slots: how many answers decode side by side.
import type { ModelInfo } from '../../shared/model.ts';

/** More would make a check somewhat shorter, but memory is planned for as many of the longest answers, and the plan would count far more than a run takes. */
export const MOST_SLOTS = 32;
/** What the keys and values of all slots may take. */
const CACHE_BYTES = 256 * 1024 * 1024;

/**
 * Slots for these requests: one for each, at most MOST_SLOTS, and fewer where their keys and values (f32, one cache of the
 * longest request's length per slot) would take more than 256 MiB.
 */
export function slotsFor(
  requests: readonly { prompt: { length: number }; max_tokens: number }[],
  info: Pick<ModelInfo, 'layers' | 'kv_heads' | 'head_dim'>,
): number {
  const longest = Math.max(1, ...requests.map(({ prompt, max_tokens }) => prompt.length + max_tokens));
  const bytesPerSlot = longest * info.layers * 2 * info.kv_heads * info.head_dim * Float32Array.BYTES_PER_ELEMENT;
  return Math.max(1, Math.min(requests.length, MOST_SLOTS, Math.floor(CACHE_BYTES / bytesPerSlot)));
}
