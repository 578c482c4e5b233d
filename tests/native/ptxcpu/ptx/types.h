// PTX's fundamental types, and the C++ types that their values have in translated code. PTX ISA, "Types".
#pragma once
#include <cstdint>
#include <string>

namespace ptxcpu {

/// Is `word` (without its dot) a type, such as `s32`, `bf16x2` or `pred`?
bool is_type(const std::string& word);
/// Bytes of a value of `type`; 1 for `pred`.
unsigned size_of(const std::string& type);
/// f16, bf16, their pairs, f32 or f64.
bool is_floating(const std::string& type);
/// The C++ type in which an instruction of `type` computes: `i32` for s32, `u16` for f16 (its bits), `f32`, `bool` for pred.
std::string value_type(const std::string& type);
/// The C++ type of a register declared with `type`: integers are unsigned, since PTX's registers have a width but no sign.
std::string storage_type(const std::string& type);
/// The unsigned C++ type as wide as `type`.
std::string bits_type(const std::string& type);
/// Bytes of the C++ type `name` (`u32`, `f64`, `bool`).
unsigned cpp_size(const std::string& name);
/// Is the C++ type `name` f32 or f64?
bool cpp_floating(const std::string& name);
/// A PTX name (`%r1`, `$L__BB0_2`) as a C++ identifier.
std::string identifier(const std::string& name);
/// The value of an integer literal, or the bits of a `0f…`/`0d…` one. PTX ISA, "Constants".
std::uint64_t number(const std::string& literal);
/// Is it a `0f` literal (eight hex digits), and is it a `0d` literal (sixteen)?
bool is_f32_literal(const std::string& literal);
bool is_f64_literal(const std::string& literal);

}  // namespace ptxcpu
