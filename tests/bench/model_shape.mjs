// A model of another one's shape with random weights, as a folder in Hugging Face's layout: to measure memory and times of training
// at that size without the model.
//
//     node tests/bench/model_shape.mjs FOLDER [--shape internlm2-1.8b] [--layers N]
//     namesake bench train --model FOLDER --precision nf4 --rank 16 --batch-tokens 512 --steps 3 --json
//
// bf16, in one file: 3.8 GB of internlm2-1.8b. The tokenizer is that of a tiny model of the family in tests/fixtures: its ids are a few
// of the vocabulary's.
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stdout } from 'node:process';
import { parseArgs } from 'node:util';

/** Sizes as the models' own config.json has them. `like` is the fixture whose family, config and tokenizer are taken. */
const shapes = {
  'smollm2-360m': { like: 'tiny-llama3', hidden: 960, layers: 32, heads: 15, kvHeads: 5, ffn: 2560, vocab: 49_152, context: 8192, tied: true },
  'qwen2.5-0.5b': { like: 'tiny-qwen2', hidden: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, vocab: 151_936, context: 32_768, tied: true },
  'qwen2.5-1.5b': { like: 'tiny-qwen2', hidden: 1536, layers: 28, heads: 12, kvHeads: 2, ffn: 8960, vocab: 151_936, context: 32_768, tied: true },
  'internlm2-1.8b': { like: 'tiny-internlm2', hidden: 2048, layers: 24, heads: 16, kvHeads: 8, ffn: 8192, vocab: 92_544, context: 32_768, tied: false },
  // InternLM2's sizes with q, k and v apart.
  'llama-1.8b': { like: 'tiny-llama3', hidden: 2048, layers: 24, heads: 16, kvHeads: 8, ffn: 8192, vocab: 92_544, context: 32_768, tied: false },
};

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { layers: { type: 'string' }, shape: { type: 'string', default: 'internlm2-1.8b' } } });
const shape = shapes[flags.shape];
if (positionals.length !== 1 || shape === undefined) throw new Error(`usage: node model_shape.mjs FOLDER [--shape ${Object.keys(shapes).join('|')}] [--layers N]`);
const folder = resolve(positionals[0]);
const { like, hidden, heads, kvHeads, ffn, vocab, context, tied } = shape;
const layers = Number(flags.layers ?? shape.layers);
const headDim = hidden / heads;

/** Names and shapes of InternLM2's tensors. */
function* fusedTensors() {
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
  if (!tied) yield ['output.weight', [vocab, hidden]];
}

/** Those of Llama, and of Qwen2, which has biases. */
function* plainTensors() {
  yield ['model.embed_tokens.weight', [vocab, hidden]];
  for (let l = 0; l < layers; l++) {
    const at = `model.layers.${l}.`;
    yield [`${at}input_layernorm.weight`, [hidden]];
    for (const [name, rows] of [['q', heads], ['k', kvHeads], ['v', kvHeads]]) {
      yield [`${at}self_attn.${name}_proj.weight`, [rows * headDim, hidden]];
      if (like === 'tiny-qwen2') yield [`${at}self_attn.${name}_proj.bias`, [rows * headDim]];
    }
    yield [`${at}self_attn.o_proj.weight`, [hidden, heads * headDim]];
    yield [`${at}post_attention_layernorm.weight`, [hidden]];
    yield [`${at}mlp.gate_proj.weight`, [ffn, hidden]];
    yield [`${at}mlp.up_proj.weight`, [ffn, hidden]];
    yield [`${at}mlp.down_proj.weight`, [hidden, ffn]];
  }
  yield ['model.norm.weight', [hidden]];
  if (!tied) yield ['lm_head.weight', [vocab, hidden]];
}

const tensors = like === 'tiny-internlm2' ? fusedTensors : plainTensors;

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

const fixture = join(import.meta.dirname, '../fixtures', like);
const config = {
  ...JSON.parse(readFileSync(join(fixture, 'config.json'), 'utf8')),
  ...{ hidden_size: hidden, num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kvHeads, intermediate_size: ffn, vocab_size: vocab },
  ...{ max_position_embeddings: context, tie_word_embeddings: tied },
};
if ('head_dim' in config) config.head_dim = headDim;
if ('layer_types' in config) config.layer_types = Array(layers).fill('full_attention');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2));
for (const name of ['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json', 'generation_config.json', 'chat_template.jinja']) {
  if (existsSync(join(fixture, name))) copyFileSync(join(fixture, name), join(folder, name));
}

const header = { __metadata__: { format: 'pt' } };
let end = 0;
for (const [name, sizes] of tensors()) {
  const size = 2 * sizes.reduce((product, n) => product * n, 1);
  header[name] = { dtype: 'BF16', shape: sizes, data_offsets: [end, end + size] };
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
for (const [, [rows, columns]] of tensors()) {
  if (columns === undefined) {
    // Ones: a norm's weight, and as a bias it does no harm either.
    writeSync(file, Buffer.from(new Uint16Array(rows).fill(0x3f80).buffer));
    continue;
  }
  for (let left = 2 * rows * columns; left > 0; ) {
    const from = 2 * Math.floor((uniform() * bytes.length) / 4);
    const size = Math.min(left, bytes.length - from, 1 << 22);
    writeSync(file, bytes, from, size);
    left -= size;
  }
}
closeSync(file);
stdout.write(`${folder}: ${((8 + text.length + end) / 1e9).toFixed(2)} GB\n`);
