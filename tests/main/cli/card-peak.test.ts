// The peak of a card, against what NVIDIA's data sheets say of dense f16 products with f32 sums.
import { expect, it } from 'vitest';
import { peakFlops } from '../../../main/cli/card-peak.ts';
import type { GpuCard } from '../../../shared/doctor.ts';

function card(name: string, compute_capability: string, multiprocessors: number, megahertz: number): GpuCard {
  const memory = { total_memory_bytes: 12e9, free_memory_bytes: 11e9 };
  return { ordinal: 0, name, compute_capability, ...memory, multiprocessors, clock_khz: megahertz * 1000, integrated: false, wddm: false, problem: null };
}

it.each([
  ['Tesla T4', '7.5', 40, 1590, 65],
  ['NVIDIA A100-SXM4-40GB', '8.0', 108, 1410, 312],
  ['NVIDIA GeForce RTX 3090', '8.6', 82, 1695, 71],
  ['NVIDIA RTX A6000', '8.6', 84, 1800, 154.8],
  ['NVIDIA GeForce RTX 4090', '8.9', 128, 2520, 165.2],
  ['NVIDIA H100 80GB HBM3', '9.0', 132, 1830, 989.4],
  ['NVIDIA B200', '10.0', 148, 1860, 2250],
  ['NVIDIA GeForce RTX 5090', '12.0', 170, 2407, 209.5],
])('of %s', (name, capability, multiprocessors, megahertz, teraflops) => {
  const peak = peakFlops(card(name, capability, multiprocessors, megahertz)) ?? 0;
  expect(Math.abs(peak / 1e12 / teraflops - 1)).toBeLessThan(0.01);
});

it('is not known of a kind that came later, or where the driver does not say enough', () => {
  expect(peakFlops(card('NVIDIA X', '13.0', 100, 2000))).toBeNull();
  expect(peakFlops(card('NVIDIA X', '9.0', 0, 2000))).toBeNull();
  expect(peakFlops(card('NVIDIA X', '9.0', 100, 0))).toBeNull();
});
