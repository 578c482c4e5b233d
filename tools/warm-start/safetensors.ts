// Safetensors in bf16: what an adapter needs to be shipped in half the bytes.
import { readFileSync, writeFileSync } from 'node:fs';

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** The upper halves of f32 values, rounded to nearest, ties to even. */
function toBf16(values: Uint32Array): Uint16Array {
  return Uint16Array.from(values, (bits) => (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
}

/** Writes the f32 tensors of a safetensors file, all of them finite, as bf16. Throws where one has another type. */
export function writeBf16(from: string, to: string): void {
  const file = readFileSync(from);
  const start = 8 + Number(file.readBigUInt64LE());
  const tensors = Object.entries(JSON.parse(file.toString('utf8', 8, start)) as Header).filter(([name]) => name !== '__metadata__');
  const header: Header = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { dtype, shape, data_offsets }] of tensors) {
    if (dtype !== 'F32') throw new Error(`${name} is ${dtype}, not F32`);
    const bytes = Uint8Array.prototype.slice.call(file, start + data_offsets[0], start + data_offsets[1]);
    const half = new Uint8Array(toBf16(new Uint32Array(bytes.buffer)).buffer);
    header[name] = { dtype: 'BF16', shape, data_offsets: [at, (at += half.byteLength)] };
    parts.push(half);
  }
  // The data begins at a multiple of eight bytes, as the format asks for.
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(to, Buffer.concat([length, padded, ...parts]));
}
