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

TEST_CASE("a context has a stream and is given back with it") {
  const FakeMachine machine("two cards");
  {
    const auto context = open_context(machine, 1);
    CHECK(context->stream() != nullptr);
    CHECK(context->free_memory().value() == std::uint64_t{9000} << 20);
    CHECK(context->synchronise().ok());
    CHECK(machine.open_things() == 2);
  }
  CHECK(machine.open_things() == 0);
  CHECK(cuda::Context::open(machine.driver(), 2).status().code == Code::gpu_failed);
}

TEST_CASE("what fails half-way leaves nothing open, and what failed on the card is heard") {
  const FakeMachine machine("no stream");
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

TEST_CASE("a context that ends in another thread closes its stream all the same") {
  const FakeMachine machine("one card");
  auto context = open_context(machine);
  std::thread([&] { context.reset(); }).join();
  CHECK(machine.open_things() == 0);
}

TEST_CASE("an event is waited for, and tells what failed before it") {
  const auto wait_on = [](const char* profile) {
    const FakeMachine machine(profile);
    const auto context = open_context(machine);
    const auto event = cuda::Event::make(*context).take();
    CHECK(event->record(nullptr).code == Code::gpu_failed);  // no stream of this context
    CHECK(event->record(context->stream()).ok());
    return event->wait();
  };
  CHECK(wait_on("one card").ok());
  CHECK(wait_on("broken kernel").code == Code::gpu_failed);
}

TEST_CASE("a module gives its kernels by name, or says what the compiler found wrong") {
  const FakeMachine machine("one card");
  const auto context = open_context(machine);
  const auto load = [&](const char* ptx) { return cuda::Module::load(*context, "linear", ptx); };
  {
    const auto module = load("good").take();
    CHECK(module->function("kernel").ok());
    const Status missing = module->function("other").status();
    CHECK(missing.code == Code::gpu_failed);
    CHECK(missing.message.find("linear has no other") == 0);
  }
  CHECK(machine.open_things() == 2);

  const Status wrong = load("wrong").status();
  CHECK(wrong.code == Code::gpu_failed);
  CHECK(wrong.message == "compiling linear: CUDA_ERROR_INVALID_PTX (in words): line 3: error fatal");
  CHECK(load("much wrong").status().message.size() > 8000);
  CHECK(load("too new").status().code == Code::gpu_driver_too_old);
}

}  // namespace namesake::test
