// Shapes and types of mma that no kernel of the fixtures has. Each lane loads its registers from a buffer that the host has filled by the
// figures of the PTX ISA ("Matrix Fragments for mma.m16n8k…"), so that a wrong place shows.
#include <cmath>
#include <cstring>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

/// Registers of a lane for A, B and the sums, and the instruction.
struct Shape {
  const char* instruction;
  int a, b, c;
};

std::string list(const char* prefix, int count) {
  std::string out = "{";
  for (int i = 0; i < count; ++i) out += (i ? ", " : "") + std::string(prefix) + std::to_string(i);
  return out + "}";
}

/// One warp: lane l's registers are the words from l * (a + b + c) on; its sums go to out + l * c.
std::string kernel_of(const Shape& s) {
  std::string code = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 in, .param .u64 out)\n{\n";
  code += ".reg .b32 %a<4>; .reg .b32 %b<2>; .reg .b32 %c<4>; .reg .b32 %r<3>; .reg .b64 %rd<6>;\n";
  code += "ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out]; mov.u32 %r0, %laneid;\n";
  code += "mul.wide.u32 %rd2, %r0, " + std::to_string(4 * (s.a + s.b + s.c)) + "; add.s64 %rd3, %rd0, %rd2;\n";
  code += "mul.wide.u32 %rd4, %r0, " + std::to_string(4 * s.c) + "; add.s64 %rd5, %rd1, %rd4;\n";
  int at = 0;
  for (const auto& [name, count] : {std::pair{"%a", s.a}, {"%b", s.b}, {"%c", s.c}}) {
    for (int i = 0; i < count; ++i) {
      code += "ld.global.u32 " + std::string(name) + std::to_string(i) + ", [%rd3+" + std::to_string(4 * at++) + "];\n";
    }
  }
  const std::string sums = list("%c", s.c);
  code += std::string(s.instruction) + " " + sums + ", " + list("%a", s.a) + ", " + list("%b", s.b) + ", " + sums + ";\n";
  for (int i = 0; i < s.c; ++i) code += "st.global.u32 [%rd5+" + std::to_string(4 * i) + "], %c" + std::to_string(i) + ";\n";
  return code + "ret;\n}\n";
}

std::vector<std::uint32_t> run(const Shape& shape, const std::vector<std::uint32_t>& registers) {
  const auto module = Module::of_text(kernel_of(shape));
  const Buffer<std::uint32_t> in(registers), out(static_cast<std::size_t>(32 * shape.c));
  CHECK(module->run("k", 1, 32, 0, in.at(), out.at()) == CUDA_SUCCESS);
  return out.values();
}

int random_byte() { return static_cast<int>(generator()() & 255) - 128; }

std::uint32_t word_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

}  // namespace

// a0, a1: rows g and g + 8, columns 4q to 4q + 3; a2, a3: 16 columns on. b0: rows 4q to 4q + 3 of column g; b1: 16 rows on.
TEST_CASE("mma of eight-bit integers: m16n8k32 and m16n8k16") {
  for (const int k : {32, 16}) {
    for (const bool is_signed : {true, false}) {
      CAPTURE(k);
      CAPTURE(is_signed);
      const std::string type = is_signed ? "s8" : "u8";
      const std::string name = "mma.sync.aligned.m16n8k" + std::to_string(k) + ".row.col.s32." + type + "." + type + ".s32";
      const Shape shape{name.c_str(), k / 8, k / 16, 4};
      std::vector<int> a(16 * k), b(k * 8);
      for (int& x : a) x = random_byte() + (is_signed ? 0 : 128);
      for (int& x : b) x = random_byte() + (is_signed ? 0 : 128);
      std::vector<std::uint32_t> registers;
      for (int l = 0; l < 32; ++l) {
        const int g = l / 4, q = l % 4;
        for (int i = 0; i < shape.a; ++i) {
          std::uint32_t word = 0;
          for (int e = 0; e < 4; ++e) word |= (a[(g + i % 2 * 8) * k + i / 2 * 16 + q * 4 + e] & 255u) << (8 * e);
          registers.push_back(word);
        }
        for (int i = 0; i < shape.b; ++i) {
          std::uint32_t word = 0;
          for (int e = 0; e < 4; ++e) word |= (b[(i * 16 + q * 4 + e) * 8 + g] & 255u) << (8 * e);
          registers.push_back(word);
        }
        for (int i = 0; i < 4; ++i) registers.push_back(static_cast<std::uint32_t>(l * 4 + i));
      }
      std::vector<std::uint32_t> expected;
      for (int l = 0; l < 32; ++l) {
        for (int i = 0; i < 4; ++i) {
          const int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
          int sum = l * 4 + i;
          for (int j = 0; j < k; ++j) sum += a[row * k + j] * b[j * 8 + column];
          expected.push_back(static_cast<std::uint32_t>(sum));
        }
      }
      CHECK(run(shape, registers) == expected);
    }
  }
}

// Halves of small integers are exact, so are their sums.
TEST_CASE("mma of f16 with f16 sums: m16n8k8") {
  const Shape shape{"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", 2, 1, 2};
  std::vector<int> a(16 * 8), b(8 * 8);
  for (int& x : a) x = random_byte() / 16;
  for (int& x : b) x = random_byte() / 16;
  const auto pair = [](int low, int high) {
    return to_f16(static_cast<float>(low)) | static_cast<std::uint32_t>(to_f16(static_cast<float>(high))) << 16;
  };
  std::vector<std::uint32_t> registers, expected;
  for (int l = 0; l < 32; ++l) {
    const int g = l / 4, q = l % 4;
    for (int i = 0; i < 2; ++i) registers.push_back(pair(a[(g + i * 8) * 8 + q * 2], a[(g + i * 8) * 8 + q * 2 + 1]));
    registers.push_back(pair(b[q * 2 * 8 + g], b[(q * 2 + 1) * 8 + g]));
    for (int i = 0; i < 2; ++i) {
      registers.push_back(pair(l, i));
      int sums[2] = {l, i};
      for (int e = 0; e < 2; ++e) {
        for (int j = 0; j < 8; ++j) sums[e] += a[(g + i * 8) * 8 + j] * b[j * 8 + q * 2 + e];
      }
      expected.push_back(pair(sums[0], sums[1]));
    }
  }
  CHECK(run(shape, registers) == expected);
}

// a0, a1: rows g and g + 8 of column q; b0: row q of column g.
TEST_CASE("mma of tf32: m16n8k4") {
  const Shape shape{"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", 2, 1, 4};
  std::vector<int> a(16 * 4), b(4 * 8);
  for (int& x : a) x = random_byte();
  for (int& x : b) x = random_byte();
  std::vector<std::uint32_t> registers, expected;
  for (int l = 0; l < 32; ++l) {
    const int g = l / 4, q = l % 4;
    for (int i = 0; i < 2; ++i) registers.push_back(word_of(static_cast<float>(a[(g + i * 8) * 4 + q])));
    registers.push_back(word_of(static_cast<float>(b[q * 8 + g])));
    for (int i = 0; i < 4; ++i) {
      registers.push_back(word_of(0));
      int sum = 0;
      for (int j = 0; j < 4; ++j) sum += a[(g + i / 2 * 8) * 4 + j] * b[j * 8 + q * 2 + i % 2];
      expected.push_back(word_of(static_cast<float>(sum)));
    }
  }
  CHECK(run(shape, registers) == expected);
}

}  // namespace ptxcpu_tests
