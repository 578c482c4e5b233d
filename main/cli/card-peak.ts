// Card peak: how much a card could multiply at most, from what its driver says of it.
import type { GpuCard } from '../../shared/doctor.ts';

/**
 * Dense operations of f16 products with f32 sums, a clock and multiprocessor (a multiply-add is two), by compute capability. NVIDIA's
 * architecture whitepapers: Turing, GA100, GA102, Ada, Hopper, RTX Blackwell. Of 10.0 no whitepaper says it: the figure is what 2.25 dense
 * PFLOP/s, as HGX B200 is announced with, are over 148 multiprocessors at 1.86 GHz as others report them.
 */
const PER_CLOCK: Readonly<Record<string, number>> = { '7.5': 1024, '8.0': 2048, '8.6': 1024, '8.9': 1024, '9.0': 4096, '10.0': 8192, '12.0': 1024 };

/** FLOP/s of a card's tensor cores at its highest clock; null where nothing is known of its kind. */
export function peakFlops({ name, compute_capability, multiprocessors, clock_khz }: GpuCard): number | null {
  const whole = PER_CLOCK[compute_capability];
  if (whole === undefined || multiprocessors === 0 || clock_khz === 0) return null;
  // GeForce cards of an architecture that workstations have too add up in f32 at half of the rate.
  const perClock = name.includes('GeForce') ? whole / 2 : whole;
  return perClock * multiprocessors * clock_khz * 1e3;
}
