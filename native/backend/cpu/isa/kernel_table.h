// Puts the kernels of the instruction set that is being compiled into its table. Needs NAMESAKE_ISA and the set's simd_*.h.

#include "backend/cpu/isa/pack_kernels.h"
#include "backend/cpu/isa/tile_kernels.h"
#include "backend/cpu/isa/dot_kernels.h"
#include "backend/cpu/isa/column_kernels.h"
#include "backend/cpu/isa/row_kernels.h"
#include "backend/cpu/isa/moment_kernels.h"

#define NAMESAKE_TEXT_OF(name) #name
#define NAMESAKE_TEXT(name) NAMESAKE_TEXT_OF(name)
#define NAMESAKE_KERNEL_TABLE(table)                                                                                      \
  namespace namesake::cpu {                                                                                               \
  using namespace NAMESAKE_ISA;                                                                                           \
  const KernelTable table = {NAMESAKE_TEXT(NAMESAKE_ISA),                                                                 \
                             {1, kTileRows, kWidth, 1, pack_rows<F32Words>, pack_columns<F32Words>, pack_slice, nullptr,  \
                              tile<F32Product>, nullptr, burst<F32Product>, burst_flops(1)},                              \
                             nullptr, decode_row, tile_transposed, dot, softmax_columns, softmax_columns_backward,        \
                             logsumexp_columns, loss_columns, attention_heads, rmsnorm_row, rmsnorm_row_backward, rope_row, \
                             dot_row, add_row, to_bf16, from_bf16, swiglu, swiglu_backward, sum_of_squares, adamw,        \
                             adamw_8bit};                                                                                 \
  }
