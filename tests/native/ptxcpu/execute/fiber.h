// Switching between stacks on one OS thread. x86-64, System V ABI.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ptxcpu {

constexpr std::size_t kStackSize = 256 << 10;

/// The memory of a stack: `low` is its last usable byte's address, `high` the first above it.
struct Stack {
  std::uint64_t low = 0, high = 0;
};

/// Stacks for 1024 threads, each above a page that cannot be touched.
class StackPool {
 public:
  StackPool();
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  Stack stack(int i) const;

 private:
  char* base_;
};

/// The stack that the calling OS thread runs on.
Stack thread_stack();

/// Makes a context on `stack` that starts with `entry(first, second)`, which must not return. `shift` moves its frames down, so that
/// threads of one block do not all use the same cache lines.
void* make_context(const Stack& stack, std::size_t shift, void (*entry)(void*, void*), void* first, void* second);

/// Saves the running context in `*save` and goes on with `context`, which lies on `target`. Returns when `*save` is switched to.
void switch_context(void** save, void* context, const Stack& target);
/// The same without a way back.
[[noreturn]] void leave_to(void* context, const Stack& target);
/// To be called first by `entry`.
void context_entered();

}  // namespace ptxcpu
