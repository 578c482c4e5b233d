// Reads the tokenizer out of a GGUF file, independently of the engine's own reader, so that each checks the other.
import { openSync, readSync, closeSync, fstatSync } from 'node:fs';
import type { TokenizerSource } from '../../main/pipeline/vocabulary.ts';

type Value = number | bigint | boolean | string | Value[];

/** Little-endian values one after another; reads the file in windows, since the weights behind the head are not needed. */
class Reader {
  readonly #handle: number;
  readonly #size: number;
  #window: Buffer = Buffer.alloc(0);
  #start = 0;
  #at = 0;

  constructor(handle: number) {
    this.#handle = handle;
    this.#size = fstatSync(handle).size;
  }

  bytes(count: number): Buffer {
    if (count > this.#size - this.#at) throw new RangeError(`${count} bytes at ${this.#at} of ${this.#size}`);
    if (this.#at + count > this.#start + this.#window.length) {
      this.#window = Buffer.alloc(Math.min(Math.max(count, 1 << 22), this.#size - this.#at));
      readSync(this.#handle, this.#window, 0, this.#window.length, this.#at);
      this.#start = this.#at;
    }
    const found = this.#window.subarray(this.#at - this.#start, this.#at - this.#start + count);
    this.#at += count;
    return found;
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  u64(): number {
    return Number(this.bytes(8).readBigUInt64LE());
  }

  string(): string {
    return this.bytes(this.u64()).toString('utf8');
  }

  value(type: number): Value {
    switch (type) {
      case 0:
        return this.bytes(1).readUInt8();
      case 1:
        return this.bytes(1).readInt8();
      case 2:
        return this.bytes(2).readUInt16LE();
      case 3:
        return this.bytes(2).readInt16LE();
      case 4:
        return this.u32();
      case 5:
        return this.bytes(4).readInt32LE();
      case 6:
        return this.bytes(4).readFloatLE();
      case 7:
        return this.bytes(1).readUInt8() !== 0;
      case 8:
        return this.string();
      case 9: {
        const element = this.u32();
        return Array.from({ length: this.u64() }, () => this.value(element));
      }
      case 10:
        return this.bytes(8).readBigUInt64LE();
      case 11:
        return this.bytes(8).readBigInt64LE();
      case 12:
        return this.bytes(8).readDoubleLE();
      default:
        throw new RangeError(`value type ${type}`);
    }
  }
}

/** All key/value pairs of a GGUF v2 or v3 file. */
export function readGgufMetadata(path: string): Map<string, Value> {
  const handle = openSync(path, 'r');
  try {
    const reader = new Reader(handle);
    if (reader.bytes(4).toString('latin1') !== 'GGUF') throw new Error(`${path} is not GGUF`);
    reader.u32(); // version
    reader.u64(); // tensors
    const pairs = reader.u64();
    const found = new Map<string, Value>();
    for (let i = 0; i < pairs; i++) {
      const key = reader.string();
      found.set(key, reader.value(reader.u32()));
    }
    return found;
  } finally {
    closeSync(handle);
  }
}

/** The tokenizer of a GGUF file. */
export function readTokenizerSource(path: string): TokenizerSource {
  const metadata = readGgufMetadata(path);
  const of = <T extends Value>(key: string, fallback: T): T => (metadata.get(key) as T | undefined) ?? fallback;
  const id = (key: string): number | null => (metadata.get(key) as number | undefined) ?? null;
  const flag = (key: string): boolean | null => (metadata.get(key) as boolean | undefined) ?? null;
  const prefix = flag('tokenizer.ggml.add_space_prefix');
  return {
    model: of('tokenizer.ggml.model', ''),
    pre: of('tokenizer.ggml.pre', ''),
    tokens: of<Value[]>('tokenizer.ggml.tokens', []) as string[],
    merges: of<Value[]>('tokenizer.ggml.merges', []) as string[],
    scores: of<Value[]>('tokenizer.ggml.scores', []) as number[],
    token_types: of<Value[]>('tokenizer.ggml.token_type', []) as number[],
    bos_id: id('tokenizer.ggml.bos_token_id'),
    eos_id: id('tokenizer.ggml.eos_token_id'),
    stop_ids: ['tokenizer.ggml.eot_token_id', 'tokenizer.ggml.eom_token_id'].flatMap((key) => id(key) ?? []),
    add_bos: flag('tokenizer.ggml.add_bos_token'),
    space_prefix: prefix === null ? null : { where: prefix ? 'each' : 'never', doubled: true },
    architecture: of('general.architecture', ''),
    chat_template: of<string>('tokenizer.chat_template', '') || null,
  };
}
