#include "backend/amx/tile_traps.h"

#if defined(__linux__) && defined(__x86_64__)

#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <cstring>

#include "backend/amx/soft_tiles.h"

namespace namesake::test {

namespace {

using Registers = gregset_t;

std::atomic<std::int64_t> instructions{0};
struct sigaction before;

long long& register_of(Registers& registers, int number) {
  constexpr int kPlaces[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                             REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return registers[kPlaces[number]];
}

/// An instruction of the form C4 RXB.00010 0.vvvv.0.pp opcode ModRM (SIB) (displacement).
struct Instruction {
  int prefix = 0, opcode = 0, v = 0, mod = 0, reg = 0, rm = 0;
  char* address = nullptr;   // of its memory
  std::int64_t stride = 0;
  int bytes = 0;             // 0 = none that is known here
};

Instruction read(Registers& registers) {
  Instruction found;
  const auto* code = reinterpret_cast<const unsigned char*>(registers[REG_RIP]);
  const int extend = ~code[1];  // R, X and B are inverted
  if (code[0] != 0xc4 || (code[1] & 31) != 2 || (code[2] & 0x84) != 0) return found;
  found.prefix = code[2] & 3;
  found.v = ~code[2] >> 3 & 15;
  found.opcode = code[3];
  found.mod = code[4] >> 6;
  found.reg = code[4] >> 3 & 7;
  found.rm = code[4] & 7;
  const unsigned char* next = code + 5;
  if (found.mod != 3) {
    int base = found.rm;
    if (found.rm == 4) {
      const int sib = *next++, index = (sib >> 3 & 7) | (extend >> 6 & 1) << 3;
      base = sib & 7;
      if (index != 4) found.stride = register_of(registers, index) << (sib >> 6);
    }
    std::int64_t displacement = 0;
    if (found.mod == 1) displacement = static_cast<signed char>(*next++);
    if (found.mod == 2 || (found.mod == 0 && base == 5)) {
      std::int32_t wide;
      std::memcpy(&wide, next, sizeof wide);
      next += sizeof wide;
      displacement = wide;
    }
    // No base: the address is the displacement alone, without SIB counted from the next instruction.
    const bool alone = found.mod == 0 && base == 5;
    const std::int64_t here = found.rm == 5 ? reinterpret_cast<std::int64_t>(next) : 0;
    const std::int64_t from = alone ? here : register_of(registers, base | (extend >> 5 & 1) << 3);
    found.address = reinterpret_cast<char*>(from + displacement);
  }
  found.bytes = static_cast<int>(next - code);
  return found;
}

/// Whether it is an instruction of AMX-TILE or AMX-BF16, which is then done.
bool execute(const Instruction& it) {
  enum { none, x66, xf3, xf2 };
  TileFile& tiles = TileFile::of_this_thread();
  if (it.opcode == 0x49 && it.prefix == none && it.mod != 3 && it.reg == 0) {
    cpu::TileConfig config;
    std::memcpy(&config, it.address, sizeof config);
    tiles.configure(config);
  } else if (it.opcode == 0x49 && it.prefix == none && it.mod == 3 && it.reg == 0 && it.rm == 0) {
    tiles.release();
  } else if (it.opcode == 0x49 && it.prefix == xf2 && it.mod == 3 && it.rm == 0) {
    tiles.zero(it.reg);
  } else if (it.opcode == 0x4b && (it.prefix == xf2 || it.prefix == x66) && it.mod != 3 && it.rm == 4) {
    tiles.load(it.reg, it.address, it.stride);
  } else if (it.opcode == 0x4b && it.prefix == xf3 && it.mod != 3 && it.rm == 4) {
    tiles.store(it.reg, it.address, it.stride);
  } else if (it.opcode == 0x5c && it.prefix == xf3 && it.mod == 3) {
    tiles.multiply(it.reg, it.rm, it.v);
  } else {
    return false;
  }
  return true;
}

void on_illegal(int, siginfo_t*, void* context) {
  Registers& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const Instruction instruction = read(registers);
  if (instruction.bytes == 0 || !execute(instruction)) {
    sigaction(SIGILL, &before, nullptr);  // the instruction traps again
    return;
  }
  registers[REG_RIP] += instruction.bytes;
  instructions.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

TileTraps::TileTraps() {
  struct sigaction ours = {};
  ours.sa_sigaction = on_illegal;
  ours.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &ours, &before);
}

TileTraps::~TileTraps() { sigaction(SIGILL, &before, nullptr); }

std::int64_t TileTraps::done() { return instructions.load(); }

}  // namespace namesake::test

#endif
