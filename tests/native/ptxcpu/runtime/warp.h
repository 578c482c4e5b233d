// Warp collectives, run when all lanes of the member mask have come. PTX ISA, "Data Movement: shfl.sync" and
// "Parallel Synchronization and Communication Instructions: vote.sync, match.sync, redux.sync, bar.warp.sync".
// operands[lane] holds that lane's inputs from place 0 on, and its results.
#pragma once
#include "runtime/memory.h"

#define EACH_LANE(l)           \
  for (u32 l = 0; l < 32; l++) \
    if (mask >> l & 1)

static void warp_sync(u32**, Thread**, u32, Block*) {}

enum ShuffleMode { SHUFFLE_UP, SHUFFLE_DOWN, SHUFFLE_BFLY, SHUFFLE_IDX };
/// In: value, lane or delta, clamp and segment mask, -, site. Out: value, -, -, was the source in range.
template <ShuffleMode MODE>
static void shuffle(u32** operands, Thread** lanes, u32 mask, Block*) {
  u32 out[32];
  EACH_LANE(l) {
    const int b = operands[l][1] & 31, lane = (int)l;
    const u32 segment = operands[l][2] >> 8 & 31, clamp = operands[l][2] & 31;
    const int highest = (int)((l & segment) | (clamp & ~segment)), lowest = (int)(l & segment);
    int from = MODE == SHUFFLE_UP     ? lane - b
               : MODE == SHUFFLE_DOWN ? lane + b
               : MODE == SHUFFLE_BFLY ? lane ^ b
                                      : lowest | (int)((u32)b & ~segment);
    const bool in_range = MODE == SHUFFLE_UP ? from >= highest : from <= highest;
    if (!in_range) from = lane;
    if (mask >> from & 1) {
      out[l] = operands[from][0];
    } else {
      out[l] = ~0u;
      callbacks->warn(lanes[l], operands[l][4], "shfl.sync reads a lane that does not take part (the value is poisoned)");
    }
    operands[l][3] = in_range;
  }
  EACH_LANE(l) operands[l][0] = out[l];
}

enum VoteMode { VOTE_ANY, VOTE_ALL, VOTE_UNI, VOTE_BALLOT };
template <VoteMode MODE>
static void vote(u32** operands, Thread**, u32 mask, Block*) {
  u32 set = 0;
  EACH_LANE(l) set |= (u32)(operands[l][0] != 0) << l;
  const u32 result = MODE == VOTE_ANY ? set != 0 : MODE == VOTE_ALL ? set == mask : MODE == VOTE_UNI ? set == mask || !set : set;
  EACH_LANE(l) operands[l][0] = result;
}

/// In: the low and high half of the value.
static void match_any(u32** operands, Thread**, u32 mask, Block*) {
  u32 out[32];
  EACH_LANE(l) {
    out[l] = 0;
    EACH_LANE(j) out[l] |= (u32)(operands[j][0] == operands[l][0] && operands[j][1] == operands[l][1]) << j;
  }
  EACH_LANE(l) operands[l][0] = out[l];
}
/// Out: the mask or 0, and whether all are equal.
static void match_all(u32** operands, Thread**, u32 mask, Block*) {
  const u32 first = (u32)__builtin_ctz(mask), low = operands[first][0], high = operands[first][1];
  bool same = true;
  EACH_LANE(l) same &= operands[l][0] == low && operands[l][1] == high;
  EACH_LANE(l) {
    operands[l][0] = same ? mask : 0;
    operands[l][1] = same;
  }
}

enum ReduceOp { REDUCE_ADD, REDUCE_AND, REDUCE_OR, REDUCE_XOR, REDUCE_MIN, REDUCE_MAX };
/// T is u32 or i32.
template <class T, ReduceOp OP>
static void reduce(u32** operands, Thread**, u32 mask, Block*) {
  bool first = true;
  T a = 0;
  EACH_LANE(l) {
    const T x = (T)operands[l][0];
    if (first) {
      a = x;
    } else {
      a = OP == REDUCE_ADD   ? (T)((u32)a + (u32)x)
          : OP == REDUCE_AND ? (T)(a & x)
          : OP == REDUCE_OR  ? (T)(a | x)
          : OP == REDUCE_XOR ? (T)(a ^ x)
          : OP == REDUCE_MIN ? min_(a, x)
                             : max_(a, x);
    }
    first = false;
  }
  EACH_LANE(l) operands[l][0] = (u32)a;
}
