// What translated code and the stand-in share: threads, blocks, the tables of a module, and the calls back.
#pragma once
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef float f32;
typedef double f64;

/// The allocation that one load or store touched last: addresses in [base, base + last] need no look-up.
struct Site {
  u64 base, last;
};

/// What a launch did, summed over its threads. Bytes are those that threads ask for, before any cache or coalescing.
struct Counts {
  u64 thread_instructions;  // issued by all threads; predicated ones count
  u64 global_load_bytes, global_store_bytes;
  u64 generic_bytes;  // accesses whose state space the PTX does not name
  u64 shared_load_bytes, shared_store_bytes;
  u64 local_bytes;
  u64 async_copy_bytes;  // read by cp.async; part of global_load_bytes
  u64 atomics;
  u64 mma;       // warp-wide matrix products
  u64 mma_flop;  // 2·M·N·K of each
  u64 ldmatrix;
  u64 barriers;     // arrivals of threads
  u64 collectives;  // warp-wide, those of mma and ldmatrix included
};

/// One thread block while a worker runs it.
struct Block {
  u8* shared;
  u32 shared_size, dynamic_offset, dynamic_size;
  const u8* params;
  Site* sites;  // one for each load and store of the module
  u32 ctaid[3], ntid[3], nctaid[3], threads;
  u32 watch_races;
  Counts counts;
  void* worker;  // the scheduler's own
};

/// One CUDA thread, which is a fiber.
struct Thread {
  Block* block;
  u32 tid[3], lane, warp, flat, spins;
  void* stack_pointer;  // the scheduler's own, as all below
  u32 state, site;
  u64 stack_low, stack_high;
  void* copies;
};

/// Runs when all lanes of `mask` have come: `operands[lane]` is what that lane brought, and where its results go.
typedef void (*Collective)(u32** operands, Thread** lanes, u32 mask, Block* block);

enum Access { ACCESS_STORE = 1, ACCESS_ATOMIC = 2, ACCESS_GENERIC = 4, ACCESS_LOCAL = 8 };

/// Calls from translated code. `site` is the number of the instruction's place in the PTX.
struct Callbacks {
  void (*global_miss)(Thread*, u32 site, u64 address, u32 bytes, u32 access);
  void (*shared_fault)(Thread*, u32 site, u64 offset, u32 bytes, u32 access);
  void (*shared_access)(Thread*, u32 site, u64 offset, u32 bytes, u32 access);
  void (*barrier)(Thread*, u32 site, u32 id, i32 count, u32 arrive_only);
  u32 (*barrier_reduce)(Thread*, u32 site, u32 id, i32 count, u32 op, u32 predicate);
  void (*collective)(Thread*, u32 site, u32 mask, Collective, u32* operands);
  void (*yield)(Thread*);
  void (*trap)(Thread*, u32 site, const char* what);
  void (*assert_failed)(Thread*, u32 site, const char* what);
  void (*warn)(Thread*, u32 site, const char* what);
  void (*exit_thread)(Thread*);
  void (*async_copy)(Thread*, u32 site, u64 to, u64 from, u32 bytes, u32 read);
  void (*async_commit)(Thread*);
  void (*async_wait)(Thread*, u32 left);
  u32 (*print)(Thread*, const char* format, const u8* arguments);
};

enum VariableSpace { SPACE_GLOBAL = 0, SPACE_CONSTANT = 1 };
struct VariableInfo {
  const char* name;
  u64 size;
  u32 align, space;
  u64* address;
  const u8* bytes;
  u64 bytes_size;
};
/// `*address + offset` gets the address of a variable or function, plus `add`.
struct RelocationInfo {
  u64* address;
  u64 offset;
  const u64* variable;
  void* function;
  i64 add;
};
struct ParameterInfo {
  u32 offset, size;
};
struct KernelInfo {
  const char* name;
  void (*run)(Thread*);
  const ParameterInfo* params;
  u32 param_count, param_bytes, shared_bytes, local_bytes, max_threads;
};
struct ModuleInfo {
  const VariableInfo* variables;
  u32 variable_count;
  const RelocationInfo* relocations;
  u32 relocation_count;
  const KernelInfo* kernels;
  u32 kernel_count;
  const u32* site_lines;
  u32 site_count;
  const Callbacks** callbacks;
};
