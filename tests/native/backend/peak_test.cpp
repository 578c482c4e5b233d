// The processor's measured peaks: that there is one for each instruction set it has. How high they are no test can say.
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>

#include "backend/ops.h"
#include "doctest/doctest.h"
#include "namesake/peak.h"

using namespace namesake;

namespace {

bool is_rate(double value) { return std::isfinite(value) && value > 0; }

}  // namespace

TEST_CASE("peak: every instruction set that the CPU has gives one, on one thread and on all") {
  PeakQuestion question;
  for (const char* isa : {"scalar", "avx2", "avx512", "avx512bf16", "amxbf16", "neon"}) {
    if (make_cpu_backend(isa, 1).ok()) question.isas.push_back(isa);
  }
  question.threads = 2;
  question.memory = true;
  question.seconds = 0.02;
  const auto report = measure_peak(question, nullptr);
  REQUIRE(report.ok());
  CHECK(report.value().threads == 2);
  REQUIRE(report.value().isas.size() == question.isas.size());
  for (std::size_t i = 0; i < question.isas.size(); ++i) {
    const IsaPeak& peak = report.value().isas[i];
    CAPTURE(peak.isa);
    CHECK(peak.isa == question.isas[i]);
    CHECK(peak.bf16 == (peak.isa == "avx512bf16" || peak.isa == "amxbf16"));
    CHECK(is_rate(peak.flops.one));
    CHECK(is_rate(peak.flops.all));
  }
  REQUIRE(report.value().memory);
  CHECK(report.value().memory->array > 0);
  CHECK(is_rate(report.value().memory->bytes.one));
  CHECK(is_rate(report.value().memory->bytes.all));
}

TEST_CASE("peak: of f32 products where others were there, and nothing that was not asked for") {
  PeakQuestion question;
  question.isas = {"auto"};
  question.f32_products = true;
  question.threads = 1;
  question.seconds = 0;
  const auto report = measure_peak(question, nullptr);
  REQUIRE(report.ok());
  REQUIRE(report.value().isas.size() == 1);
  CHECK(report.value().isas[0].isa == make_cpu_backend("auto", 1).value()->isa());
  CHECK_FALSE(report.value().isas[0].bf16);
  CHECK(report.value().isas[0].flops.one == report.value().isas[0].flops.all);
  CHECK_FALSE(report.value().memory);
}

TEST_CASE("peak: an instruction set that the CPU lacks is an error by its name") {
  PeakQuestion question;
  question.isas = {"abacus"};
  CHECK(measure_peak(question, nullptr).status().code == Code::isa_unsupported);
}

TEST_CASE("peak: measuring ends soon after it is cancelled") {
  PeakQuestion question;
  question.isas = {"scalar"};
  question.threads = 2;
  question.seconds = 3600;
  std::atomic<bool> cancel{false};
  std::thread canceller([&cancel] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cancel = true;
  });
  CHECK(measure_peak(question, &cancel).status().code == Code::cancelled);
  canceller.join();
  question.isas = {};
  question.memory = true;
  CHECK(measure_peak(question, &cancel).status().code == Code::cancelled);
}
