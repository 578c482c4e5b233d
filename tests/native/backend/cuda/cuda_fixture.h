// What the tests of the cuda backend share: the card, or the stand-in for one, and the comparisons with the reference.
//
// NAMESAKE_TEST_DRIVER is the path of a driver library, such as the stand-in's; without it the system's own is taken. Where there is
// none the cases are skipped, and say so. PTXCPU_PROFILE says which card the stand-in is: ctest runs the suite "cuda" with one of each
// family.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/cuda/driver.h"
#include "backend/fixture.h"

namespace namesake::test {

/// The backend under test, made once; nullptr where there is no card.
Backend* cuda_backend();

/// What `run` gives on a card whose scratch holds nothing but NaN.
Outputs run_card(Backend& card, const std::function<Outputs(Backend&)>& run);

/// The same bits as `expected` when `run` runs again; on the stand-in with threads and blocks in other orders, and with nothing done before
/// somebody waits for it.
void check_orders(Backend& card, const std::function<Outputs(Backend&)>& run, const Outputs& expected);

/// Runs `run` on the reference and on a card (run_card): outputs agree within the tolerance, and check_orders. `what` names the shape in
/// messages.
void check_card(Backend& card, const std::string& what, const std::function<Outputs(Backend&)>& run, Tolerance tolerance);
/// The same on the backend under test, where there is one.
void check_cuda(const std::string& what, const std::function<Outputs(Backend&)>& run, Tolerance tolerance);
/// The same with a tolerance for each output.
void check_cuda(const std::string& what, const std::function<Outputs(Backend&)>& run, const std::vector<Tolerance>& tolerances);

/// run(backend, first, count) computes rows first..first+count-1 of a fixed problem of M rows: on the card they have the same bits alone
/// and in the whole.
void check_cuda_rows_alone(const std::string& what, std::int64_t M,
                           const std::function<Outputs(Backend&, std::int64_t first, std::int64_t count)>& run);

/// The stand-in with some of its variables set (tests/native/ptxcpu/README.md), for as long as this lives.
class StandIn {
 public:
  /// Whether the driver under test is the stand-in, which counts every byte of memory and has nobody else on its card.
  static bool there();

  StandIn(const char* variable, const char* value);
  ~StandIn();
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  /// A driver that is opened under these variables.
  static Result<std::shared_ptr<const cuda::Driver>> open_driver();

 private:
  void set(const char* value);

  const char* variable_;
  std::optional<std::string> before_;
};

}  // namespace namesake::test
