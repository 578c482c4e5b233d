// Which function emits which instruction.
#pragma once
#include <string>

#include "translate/emitter.h"

namespace ptxcpu {

/// Statements for the instruction that `emitter` has selected, without its guard. Throws UnknownInstruction where the table has no
/// such opcode or its function does not know the form, PtxError where the operands make no sense.
using InstructionEmitter = std::string (*)(Emitter& emitter);

/// The function of an opcode (`add` of `add.s32`), or nullptr.
InstructionEmitter instruction_emitter(const std::string& opcode);

// Integer arithmetic (emit_integer.cpp).
std::string emit_add_sub(Emitter& e);
std::string emit_add_sub_carry(Emitter& e);
std::string emit_multiply(Emitter& e);
std::string emit_divide(Emitter& e);
std::string emit_remainder(Emitter& e);
std::string emit_min_max(Emitter& e);
std::string emit_negate(Emitter& e);
std::string emit_absolute(Emitter& e);
std::string emit_sum_of_differences(Emitter& e);
std::string emit_dot_product(Emitter& e);

// Bits (emit_bits.cpp).
std::string emit_logic(Emitter& e);
std::string emit_not(Emitter& e);
std::string emit_cnot(Emitter& e);
std::string emit_shift(Emitter& e);
std::string emit_funnel_shift(Emitter& e);
std::string emit_lop3(Emitter& e);
std::string emit_prmt(Emitter& e);
std::string emit_count_bits(Emitter& e);
std::string emit_brev(Emitter& e);
std::string emit_bfind(Emitter& e);
std::string emit_bfe(Emitter& e);
std::string emit_bfi(Emitter& e);

// Floating point (emit_float.cpp).
std::string emit_float(Emitter& e);
std::string emit_testp(Emitter& e);

// Comparison and selection (emit_compare.cpp).
std::string emit_setp(Emitter& e);
std::string emit_set(Emitter& e);
std::string emit_selp(Emitter& e);
std::string emit_slct(Emitter& e);

// Data movement (emit_memory.cpp, emit_convert.cpp, emit_atomic.cpp).
std::string emit_mov(Emitter& e);
std::string emit_load(Emitter& e);
std::string emit_store(Emitter& e);
std::string emit_cvta(Emitter& e);
std::string emit_isspacep(Emitter& e);
std::string emit_async_copy(Emitter& e);
std::string emit_hint(Emitter& e);
std::string emit_cvt(Emitter& e);
std::string emit_atom(Emitter& e);
std::string emit_red(Emitter& e);

// Control flow (emit_control.cpp).
std::string emit_bra(Emitter& e);
std::string emit_brx(Emitter& e);
std::string emit_ret(Emitter& e);
std::string emit_exit(Emitter& e);
std::string emit_trap(Emitter& e);
std::string emit_call(Emitter& e);
std::string emit_nanosleep(Emitter& e);

// Synchronisation and warps (emit_sync.cpp).
std::string emit_barrier(Emitter& e);
std::string emit_fence(Emitter& e);
std::string emit_shfl(Emitter& e);
std::string emit_vote(Emitter& e);
std::string emit_match(Emitter& e);
std::string emit_redux(Emitter& e);
std::string emit_activemask(Emitter& e);

// Matrix fragments in memory (emit_wmma.cpp); products and ldmatrix are the fusion pass' (fusion.h).
std::string emit_wmma_memory(Emitter& e);

}  // namespace ptxcpu
