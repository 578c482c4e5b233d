#include "execute/fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define PTXCPU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PTXCPU_ASAN 1
#endif
#endif
#ifdef PTXCPU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" {
__attribute__((visibility("hidden"))) void ptxcpu_switch(void** save, void* to);
__attribute__((visibility("hidden"))) void ptxcpu_start();
}

// ptxcpu_switch saves what a callee must keep, and the stack pointer; ptxcpu_start calls r13(r15, r14), which make_context left there.
asm(R"(
.text
.globl ptxcpu_switch
.hidden ptxcpu_switch
.type ptxcpu_switch,@function
ptxcpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.globl ptxcpu_start
.hidden ptxcpu_start
.type ptxcpu_start,@function
ptxcpu_start:
  subq $200, %rsp          # keeps the frames clear of the saved context, which a new thread may overwrite while this one ends
  movq %r15, %rdi
  movq %r14, %rsi
  call *%r13
  ud2
)");

namespace ptxcpu {
namespace {

constexpr std::size_t kGuard = 4096;
constexpr int kStacks = 1024;

void before_switch([[maybe_unused]] void** fake, [[maybe_unused]] const Stack& target) {
#ifdef PTXCPU_ASAN
  __sanitizer_start_switch_fiber(fake, reinterpret_cast<void*>(target.low), target.high - target.low);
#endif
}

void after_switch([[maybe_unused]] void* fake) {
#ifdef PTXCPU_ASAN
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

}  // namespace

StackPool::StackPool() {
  void* at = mmap(nullptr, kStackSize * kStacks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    std::perror("[ptxcpu] no address space for the threads' stacks");
    std::abort();
  }
  base_ = static_cast<char*>(at);
  for (int i = 0; i < kStacks; ++i) mprotect(base_ + i * kStackSize, kGuard, PROT_NONE);
}

StackPool::~StackPool() { munmap(base_, kStackSize * kStacks); }

Stack StackPool::stack(int i) const {
  const auto low = reinterpret_cast<std::uint64_t>(base_ + i * kStackSize);
  return {low + kGuard, low + kStackSize};
}

Stack thread_stack() {
  pthread_attr_t attributes;
  void* low = nullptr;
  std::size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
  }
  const auto address = reinterpret_cast<std::uint64_t>(low);
  return {address, address + size};
}

void* make_context(const Stack& stack, std::size_t shift, void (*entry)(void*, void*), void* first, void* second) {
#ifdef PTXCPU_ASAN
  // The thread that was here before may have been given up in the middle of a call.
  __asan_unpoison_memory_region(reinterpret_cast<void*>(stack.low), stack.high - stack.low);
#endif
  auto* top = reinterpret_cast<std::uint64_t*>((stack.high - 256 - shift) & ~63ull) - 8;
  top[0] = reinterpret_cast<std::uint64_t>(first);
  top[1] = reinterpret_cast<std::uint64_t>(second);
  top[2] = reinterpret_cast<std::uint64_t>(entry);
  top[3] = top[4] = top[5] = 0;
  top[6] = reinterpret_cast<std::uint64_t>(&ptxcpu_start);
  top[7] = 0;
  return top;
}

void switch_context(void** save, void* context, const Stack& target) {
  void* fake = nullptr;
  before_switch(&fake, target);
  ptxcpu_switch(save, context);
  after_switch(fake);
}

void leave_to(void* context, const Stack& target) {
  void* nowhere = nullptr;
  before_switch(nullptr, target);
  ptxcpu_switch(&nowhere, context);
  std::abort();
}

void context_entered() { after_switch(nullptr); }

}  // namespace ptxcpu
