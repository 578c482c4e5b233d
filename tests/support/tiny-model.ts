// The tiny model's tokenizer and chat template (ChatML with a vendor's system text), and small changes of them.
import { createChatTemplate, type ChatTemplate } from '../../main/pipeline/chat-template.ts';
import { createTokenizer, type Tokenizer } from '../../main/pipeline/tokenizer.ts';
import type { TokenizerSource } from '../../main/pipeline/vocabulary.ts';
import { fixture } from './files.ts';
import { readTokenizerSource } from './gguf-metadata.ts';

export const tinySource: TokenizerSource = readTokenizerSource(fixture('tiny-llama.gguf'));

/** The tiny tokenizer with other metadata. */
export function tinyTokenizer(change: Partial<TokenizerSource> = {}): Tokenizer {
  return createTokenizer({ ...tinySource, ...change });
}

/** A chat template over the tiny vocabulary. */
export function tinyTemplate(source: string | null = tinySource.chat_template, tokenizer = tinyTokenizer()): ChatTemplate {
  return createChatTemplate(source, tokenizer);
}
