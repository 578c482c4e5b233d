// A model of InternLM2-chat-1.8B's shape with random weights, as a folder in Hugging Face's layout: to measure memory and times of
// training at that size without the model.
//
//     node tests/bench/internlm2_shape.mjs FOLDER [--layers N] [--llama]
//     namesake bench train --model FOLDER --precision nf4 --rank 16 --batch-tokens 512 --steps 3 --json
//
// 3.8 GB of bf16, in one file. `--llama` writes the same sizes as a Llama model (q, k and v apart). The tokenizer is that of
// tests/fixtures/tiny-internlm2 (or tiny-llama3): its ids are a few of the vocabulary's 92,544.
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stdout } from 'node:process';
import { parseArgs } from 'node:util';

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { layers: { type: 'string', default: '24' }, llama: { type: 'boolean', default: false } } });
const folder = resolve(positionals[0] ?? '');
if (positionals.length !== 1) throw new Error('usage: node internlm2_shape.mjs FOLDER [--layers N] [--llama]');

const layers = Number(flags.layers);
const [hidden, heads, kvHeads, ffn, vocab, context] = [2048, 16, 8, 8192, 92_544, 32_768];
const headDim = hidden / heads;

/** Names and shapes of all tensors. */
function* tensors() {
  if (flags.llama) {
    yield ['model.embed_tokens.weight', [vocab, hidden]];
    for (let l = 0; l < layers; l++) {
      const at = `model.layers.${l}.`;
      yield [`${at}input_layernorm.weight`, [hidden]];
      yield [`${at}self_attn.q_proj.weight`, [heads * headDim, hidden]];
      yield [`${at}self_attn.k_proj.weight`, [kvHeads * headDim, hidden]];
      yield [`${at}self_attn.v_proj.weight`, [kvHeads * headDim, hidden]];
      yield [`${at}self_attn.o_proj.weight`, [hidden, heads * headDim]];
      yield [`${at}post_attention_layernorm.weight`, [hidden]];
      yield [`${at}mlp.gate_proj.weight`, [ffn, hidden]];
      yield [`${at}mlp.up_proj.weight`, [ffn, hidden]];
      yield [`${at}mlp.down_proj.weight`, [hidden, ffn]];
    }
    yield ['model.norm.weight', [hidden]];
    yield ['lm_head.weight', [vocab, hidden]];
    return;
  }
  yield ['model.tok_embeddings.weight', [vocab, hidden]];
  for (let l = 0; l < layers; l++) {
    const at = `model.layers.${l}.`;
    yield [`${at}attention_norm.weight`, [hidden]];
    yield [`${at}attention.wqkv.weight`, [(heads + 2 * kvHeads) * headDim, hidden]];
    yield [`${at}attention.wo.weight`, [hidden, heads * headDim]];
    yield [`${at}ffn_norm.weight`, [hidden]];
    yield [`${at}feed_forward.w1.weight`, [ffn, hidden]];
    yield [`${at}feed_forward.w3.weight`, [ffn, hidden]];
    yield [`${at}feed_forward.w2.weight`, [hidden, ffn]];
  }
  yield ['model.norm.weight', [hidden]];
  yield ['output.weight', [vocab, hidden]];
}

/** Values about normal with deviation 0.02, as bf16: a pool from which every matrix takes pieces at other places. */
function makePool() {
  let state = 12_345;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const pool = new Uint16Array(1 << 23);
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  for (let i = 0; i < pool.length; i++) {
    value[0] = 0.02 * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    pool[i] = bits[0] >>> 16;
  }
  return { bytes: Buffer.from(pool.buffer), uniform };
}

const fixture = join(import.meta.dirname, '../fixtures', flags.llama ? 'tiny-llama3' : 'tiny-internlm2');
const config = {
  ...JSON.parse(readFileSync(join(fixture, 'config.json'), 'utf8')),
  ...{ hidden_size: hidden, num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kvHeads, intermediate_size: ffn, vocab_size: vocab },
  ...{ max_position_embeddings: context, tie_word_embeddings: false },
};
if ('head_dim' in config) config.head_dim = headDim;
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2));
for (const name of ['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json', 'generation_config.json', 'chat_template.jinja']) {
  if (existsSync(join(fixture, name))) copyFileSync(join(fixture, name), join(folder, name));
}

const header = { __metadata__: { format: 'pt' } };
let end = 0;
for (const [name, shape] of tensors()) {
  const size = 2 * shape.reduce((product, n) => product * n, 1);
  header[name] = { dtype: 'BF16', shape, data_offsets: [end, end + size] };
  end += size;
}
let text = JSON.stringify(header);
text += ' '.repeat((8 - (text.length % 8)) % 8);
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(text.length));
const file = openSync(join(folder, 'model.safetensors'), 'w');
writeSync(file, length);
writeSync(file, text);
const { bytes, uniform } = makePool();
const one = Buffer.from(new Uint16Array(hidden).fill(0x3f80).buffer);
for (const [, shape] of tensors()) {
  if (shape.length === 1) {
    writeSync(file, one);
    continue;
  }
  for (let left = 2 * shape[0] * shape[1]; left > 0; ) {
    const from = 2 * Math.floor((uniform() * bytes.length) / 4);
    const size = Math.min(left, bytes.length - from, 1 << 22);
    writeSync(file, bytes, from, size);
    left -= size;
  }
}
closeSync(file);
stdout.write(`${folder}: ${((8 + text.length + end) / 1e9).toFixed(2)} GB\n`);
