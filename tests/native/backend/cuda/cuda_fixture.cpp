#include "backend/cuda/cuda_fixture.h"

#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/driver_library.h"

namespace namesake::test {

namespace {

const char* test_driver() { return std::getenv("NAMESAKE_TEST_DRIVER"); }

Result<std::shared_ptr<const cuda::Driver>> open_test_driver() {
  return test_driver() != nullptr ? cuda::Driver::open(test_driver()) : cuda::Driver::open();
}

/// ptxcpuReset of the stand-in: it reads its variables again. nullptr with any other driver.
void (*stand_in_reset())() {
  if (test_driver() == nullptr) return nullptr;
  const auto library = cuda::open_library({test_driver()});
  return library.ok() ? reinterpret_cast<void (*)()>(cuda::find_function(library.value().handle, "ptxcpuReset")) : nullptr;
}

// Never destroyed: at the end of the process the driver's library may be gone before it.
Backend* make_backend() {
  auto driver = open_test_driver();
  auto made = driver.ok() ? cuda::make_cuda_backend(driver.take()) : Result<std::unique_ptr<Backend>>(driver.status());
  if (made.ok()) return made.take().release();
  if (test_driver() != nullptr) FAIL("cuda: ", made.status().message);
  std::cout << "skipped: backend cuda (" << code_name(made.status().code) << ": " << made.status().message << ")\n";
  return nullptr;
}

std::string variable_text(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::string(name) + "=" + value + " " : "";
}

/// Scratch for the ops of tests: no more than they need, and no byte of it means anything.
class PoisonedScratch {
 public:
  explicit PoisonedScratch(Backend& card) : card_(card) {
    static const std::vector<unsigned char> ones(std::size_t{256} << 10, 0xff);
    auto memory = card.allocate(ones.size());
    REQUIRE(memory.ok());
    memory_ = memory.value();
    REQUIRE(card.upload(memory_, ones.data(), ones.size()).ok());
    card.lend_scratch(memory_, ones.size());
  }
  ~PoisonedScratch() {
    card_.lend_scratch(nullptr, 0);
    card_.release(memory_);
  }
  PoisonedScratch(const PoisonedScratch&) = delete;
  PoisonedScratch& operator=(const PoisonedScratch&) = delete;

 private:
  Backend& card_;
  void* memory_ = nullptr;
};

std::string again() { return variable_text("NAMESAKE_TEST_DRIVER") + variable_text("PTXCPU_PROFILE") + rerun_command(""); }

}  // namespace

Backend* cuda_backend() {
  static Backend* const backend = make_backend();
  return backend;
}

Outputs run_card(Backend& card, const std::function<Outputs(Backend&)>& run) {
  const PoisonedScratch scratch(card);
  return run(card);
}

void check_orders(Backend& card, const std::function<Outputs(Backend&)>& run, const Outputs& expected) {
  if (!StandIn::there()) return check_same_bits(run_card(card, run), expected);
  {
    INFO("reversed, and late");
    const StandIn reversed("PTXCPU_SCHED", "reverse"), late("PTXCPU_LAZY", "1");
    check_same_bits(run_card(card, run), expected);
  }
  INFO("in a random order");
  const StandIn random("PTXCPU_SCHED", "random:1");
  check_same_bits(run_card(card, run), expected);
}

void check_card(Backend& card, const std::string& what, const std::function<Outputs(Backend&)>& run,
                const std::function<Tolerance(std::size_t)>& tolerance_of) {
  INFO("again: ", again());
  INFO(what, " on cuda/", card.isa());
  const Outputs expected = run(reference()), actual = run_card(card, run);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    check_close(actual[i], expected[i], tolerance_of(i));
  }
  check_orders(card, run, actual);
}

void check_card(Backend& card, const std::string& what, const std::function<Outputs(Backend&)>& run, Tolerance tolerance) {
  check_card(card, what, run, [&](std::size_t) { return tolerance; });
}

void check_cuda(const std::string& what, const std::function<Outputs(Backend&)>& run, Tolerance tolerance) {
  if (Backend* const backend = cuda_backend()) check_card(*backend, what, run, tolerance);
}

void check_cuda(const std::string& what, const std::function<Outputs(Backend&)>& run, const std::vector<Tolerance>& tolerances) {
  if (Backend* const backend = cuda_backend()) check_card(*backend, what, run, [&](std::size_t i) { return tolerances.at(i); });
}

void check_cuda_rows_alone(const std::string& what, std::int64_t M,
                           const std::function<Outputs(Backend&, std::int64_t, std::int64_t)>& run) {
  Backend* const backend = cuda_backend();
  if (backend == nullptr) return;
  INFO("again: ", again());
  const Outputs whole = run(*backend, 0, M);
  const std::pair<std::int64_t, std::int64_t> parts[] = {{0, 1}, {M / 2, 1}, {M - 1, 1}, {M / 3, 5}, {1, M - 1}};
  for (const auto& part : parts) {
    const std::int64_t first = part.first, count = part.second;
    INFO(what, " on cuda/", backend->isa(), ": rows ", first, " + ", count, " of ", M);
    Outputs expected;
    for (const auto& output : whole) {
      expected.push_back(slice(output, static_cast<std::int64_t>(output.size()) / M, first, count));
    }
    check_same_bits(run(*backend, first, count), expected);
  }
}

bool StandIn::there() {
  static const bool answer = stand_in_reset() != nullptr;
  return answer;
}

StandIn::StandIn(const char* variable, const char* value) : variable_(variable) {
  REQUIRE(there());
  if (const char* before = std::getenv(variable)) before_ = before;
  set(value);
}

StandIn::~StandIn() { set(before_ ? before_->c_str() : nullptr); }

void StandIn::set(const char* value) {
#ifdef _WIN32
  _putenv_s(variable_, value != nullptr ? value : "");
#else
  if (value != nullptr) {
    setenv(variable_, value, 1);
  } else {
    unsetenv(variable_);
  }
#endif
  stand_in_reset()();
}

Result<std::shared_ptr<const cuda::Driver>> StandIn::open_driver() { return open_test_driver(); }

}  // namespace namesake::test
