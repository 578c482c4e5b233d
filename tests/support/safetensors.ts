// Reads and compares tensors of a safetensors file (f32 and i32), independently of the engine's own reader.
import { readFileSync } from 'node:fs';

export interface Tensor {
  shape: number[];
  values: Float32Array | Int32Array;
}

/** All tensors of a file by name. */
export function readSafetensors(path: string): Map<string, Tensor> {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, start)) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const found = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const bytes = Uint8Array.prototype.slice.call(file, start + data_offsets[0], start + data_offsets[1]).buffer;
    if (dtype !== 'F32' && dtype !== 'I32') throw new Error(`${name} is ${dtype}`);
    found.set(name, { shape, values: dtype === 'F32' ? new Float32Array(bytes) : new Int32Array(bytes) });
  }
  return found;
}

/** One tensor of a file. */
export function readTensor(path: string, name: string): Tensor {
  const tensor = readSafetensors(path).get(name);
  if (tensor === undefined) throw new Error(`${path} has no tensor ${name}`);
  return tensor;
}

/** |a − b| / |b| in the Euclidean norm. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} values`);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? NaN) - (b[i] ?? NaN)) ** 2;
    size += (b[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference / size);
}

/** The largest of |a[i] − b[i]|. */
export function largestDifference(a: readonly number[], b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} values`);
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? NaN))));
}
