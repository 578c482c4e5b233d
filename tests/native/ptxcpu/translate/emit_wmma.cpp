// PTX ISA, "Warp-level matrix instructions: wmma.load, wmma.store" of m16n16k16. Each lane touches its own elements alone, so the
// warp does not meet. The products are in fusion.cpp.
#include "ptx/text.h"
#include "ptx/types.h"
#include "runtime/abi.h"
#include "translate/instruction_table.h"

namespace ptxcpu {
namespace {

constexpr int kElements = 8;

/// A pair of 16-bit elements, or one f32: what register i of the fragment holds of `x_`. A has each of its four registers twice.
std::string packed(std::size_t i, unsigned size) {
  if (size == 4) return text("bits<u32>(x_[$])", i);
  return text("((u32)x_[$] | (u32)x_[$] << 16)", i % 4 * 2, i % 4 * 2 + 1);
}

std::string unpacked(const Emitter& e, const Operand& fragment, unsigned size) {
  std::string out;
  for (int i = 0; i < kElements; ++i) {
    const Operand& part = fragment.elements[static_cast<std::size_t>(size == 4 ? i : i / 2)];
    out += size == 4 ? text("x_[$] = $; ", i, e.read(part, "f32")) : text("x_[$] = (u16)($ >> $); ", i, e.read(part, "u32"), i % 2 * 16);
  }
  return out;
}

}  // namespace

std::string emit_wmma_memory(Emitter& e) {
  const bool loads = e.has("load"), shared = e.space() == "shared";
  if ((!loads && !e.has("store")) || !e.has("m16n16k16")) e.unknown();
  const std::string type = e.type();
  if (type != "f16" && type != "bf16" && type != "f32") e.unknown();
  const unsigned size = size_of(type);
  const Operand &at = e.arg(loads ? 1 : 0), &fragment = e.arg(loads ? 0 : 1);
  if (fragment.elements.size() < (size == 4 ? 8u : 4u)) e.fail("the fragment has too few registers");
  const std::string kind = e.has("a") ? "A" : e.has("b") ? "B" : "SUMS";
  const std::string s = e.site(), value = size == 4 ? "f32" : "u16";
  const int access = loads ? 0 : ACCESS_STORE;
  const std::string stride = e.arg_count() > 2 ? e.read(e.arg(2), "u32") : "16u";

  std::string out = text("u64 base_ = $; u32 stride_ = $; $ x_[$]; ", e.address(at, shared), stride, value, kElements);
  out += text("if (base_ & 15) callbacks->$(t, $, base_ | 1, 16, $); ", shared ? "shared_fault" : "global_miss", s, access);
  out += text("COUNT($_$_bytes, $); ", shared ? "shared" : "global", loads ? "load" : "store", kElements * size);
  std::string loop = text("for (int i = 0; i < $; i++) { int r, c; fragment_place(FRAGMENT_$, t->lane, i, r, c); ", kElements, kind);
  loop += text("u64 at_ = base_ + $ull * ($); ", size, e.has("row") ? "(u64)r * stride_ + c" : "(u64)c * stride_ + r");
  loop += shared ? text("u8* p_ = shared_at<$>(t, $, at_, $); ", size, s, access)
                 : text("check_global<$>(t, $, at_, $); u8* p_ = (u8*)at_; ", size, s, access | ACCESS_GENERIC);
  if (!loads) return out + unpacked(e, fragment, size) + loop + text("store<$>(p_, x_[i]); }", value);
  out += loop + text("x_[i] = load<$>(p_); } ", value);
  for (std::size_t i = 0; i < fragment.elements.size(); ++i) out += e.write(fragment.elements[i], "u32", packed(i, size)) + " ";
  return out;
}

}  // namespace ptxcpu
