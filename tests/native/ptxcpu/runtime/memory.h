// Checked loads, stores and atomics. PTX ISA, "State Spaces", "Data Movement and Conversion Instructions: ld, st" and "atom, red".
#pragma once
#include "runtime/arithmetic.h"

template <class T>
INLINE T load(const void* from) {
  T out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
template <class T>
INLINE void store(void* to, T value) {
  __builtin_memcpy(to, &value, sizeof value);
}

/// Nothing where the access is aligned and inside the allocation that this place touched last; else the driver looks it up.
template <int BYTES>
INLINE void check_global(Thread* t, u32 site, u64 address, u32 access) {
  const Site* s = &t->block->sites[site];
  if (UNLIKELY(address - s->base > s->last || (address & (BYTES - 1)))) callbacks->global_miss(t, site, address, BYTES, access);
}

/// Where `offset` of shared memory is.
template <int BYTES>
INLINE u8* shared_at(Thread* t, u32 site, u64 offset, u32 access) {
  Block* b = t->block;
  if (UNLIKELY(offset + BYTES > b->shared_size || offset > b->shared_size || (offset & (BYTES - 1)))) {
    callbacks->shared_fault(t, site, offset, BYTES, access);
  }
  if (UNLIKELY(b->watch_races)) callbacks->shared_access(t, site, offset, BYTES, access);
  return b->shared + offset;
}

/// A thread that may wait for another one in a loop gives way now and then.
INLINE void spin(Thread* t) {
  if (UNLIKELY(++t->spins >= 32)) {
    t->spins = 0;
    callbacks->yield(t);
  }
}

/// A real atomic: other workers run other blocks of the grid.
template <class T, class Fn>
INLINE T atomic_global(u64 address, Fn next) {
  T old = __atomic_load_n((T*)address, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n((T*)address, &old, next(old), true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
  }
  return old;
}
/// Shared memory is one worker's.
template <class T, class Fn>
INLINE T atomic_shared(u8* at, Fn next) {
  const T old = load<T>(at);
  store<T>(at, next(old));
  return old;
}
