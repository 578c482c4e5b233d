// Contexts, streams, events and modules: what they ask of the driver, and that nothing stays open.
#include "backend/cuda/context.h"

#include <thread>

#include "backend/cuda/fake_machine.h"
#include "backend/cuda/module.h"

namespace namesake::test {

namespace {

std::unique_ptr<cuda::Context> open_context(const FakeMachine& machine, int ordinal = 0) {
  auto context = cuda::Context::open(machine.driver(), ordinal);
  REQUIRE_MESSAGE(context.ok(), context.status().message);
  return context.take();
}

}  // namespace

TEST_CASE("a context has two streams and is given back with them") {
  const FakeMachine machine("two cards");
  {
    const auto context = open_context(machine, 1);
    CHECK(context->compute() != context->copy());
    CHECK(context->free_memory().value() == std::uint64_t{9000} << 20);
    CHECK(context->synchronise().ok());
    CHECK(machine.open_things() == 3);
  }
  CHECK(machine.open_things() == 0);
  CHECK(cuda::Context::open(machine.driver(), 2).status().code == Code::gpu_failed);
}

TEST_CASE("what fails half-way leaves nothing open, and what failed on the card is heard") {
  const FakeMachine machine("one stream");
  CHECK(cuda::Context::open(machine.driver(), 0).status().code == Code::gpu_memory_insufficient);
  CHECK(machine.open_things() == 0);
  const FakeMachine broken("broken kernel");
  CHECK(open_context(broken)->synchronise().code == Code::gpu_failed);
}

TEST_CASE("another thread binds the context before it uses it") {
  const FakeMachine machine("one card");
  const auto context = open_context(machine);
  Status before, bound;
  bool after = false;
  std::thread([&] {
    before = context->free_memory().status();
    bound = context->bind();
    after = context->free_memory().ok();
  }).join();
  CHECK(before.code == Code::gpu_failed);
  CHECK(bound.ok());
  CHECK(after);
}

TEST_CASE("a context that ends in another thread closes its streams all the same") {
  const FakeMachine machine("one card");
  auto context = open_context(machine);
  std::thread([&] { context.reset(); }).join();
  CHECK(machine.open_things() == 0);
}

TEST_CASE("an event is reached once it was waited for; only timed ones tell a time") {
  const FakeMachine machine("one card");
  const auto context = open_context(machine);
  auto begin = cuda::Event::make(*context, true).take(), end = cuda::Event::make(*context, true).take();
  const auto untimed = cuda::Event::make(*context).take();
  CHECK_FALSE(end->hold_up(context->copy()).ok());  // not recorded yet
  CHECK(begin->record(context->compute()).ok());
  CHECK(end->record(context->compute()).ok());
  CHECK(end->hold_up(context->copy()).ok());
  CHECK_FALSE(end->reached().value());
  CHECK(end->wait().ok());
  CHECK(end->reached().value());
  CHECK(end->milliseconds_since(*begin).value() == 2.5f);
  CHECK(end->milliseconds_since(*untimed).status().code == Code::gpu_failed);
}

TEST_CASE("a module gives its kernels by name, and what the compiler said") {
  const FakeMachine machine("one card");
  const auto context = open_context(machine);
  const auto load = [&](const char* ptx) { return cuda::Module::load(*context, "linear", ptx); };
  {
    const auto module = load("good").take();
    CHECK(module->log() == "info: 12 registers");
    CHECK(module->function("kernel").ok());
    const Status missing = module->function("other").status();
    CHECK(missing.code == Code::gpu_failed);
    CHECK(missing.message.find("linear has no other") == 0);
  }
  CHECK(machine.open_things() == 3);

  const Status wrong = load("wrong").status();
  CHECK(wrong.code == Code::gpu_failed);
  CHECK(wrong.message == "compiling linear: CUDA_ERROR_INVALID_PTX (in words): line 3: error fatal");
  CHECK(load("much wrong").status().message.size() > 8000);
  CHECK(load("too new").status().code == Code::gpu_driver_too_old);
}

}  // namespace namesake::test
