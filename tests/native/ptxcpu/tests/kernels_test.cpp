// Right kernels give right results: both families, every schedule, under race detection, from every kind of image.
#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

void check_all(int family) {
  const std::string suffix = "_" + std::to_string(family) + ".ptx";
  check_compute(Module("compute" + suffix));
  check_matrix(Module("matrix" + suffix), family);
  check_instructions(Module("instructions" + suffix));
}

}  // namespace

TEST_CASE("kernels of the Turing family") { check_all(75); }

TEST_CASE("kernels of the Ampere family") { check_all(80); }

TEST_CASE("kernels under a random schedule") {
  const Setting schedule("PTXCPU_SCHED", "random:7");
  check_all(80);
}

TEST_CASE("kernels under the reverse schedule") {
  const Setting schedule("PTXCPU_SCHED", "reverse");
  check_all(80);
}

TEST_CASE("kernels under race detection") {
  const Setting race("PTXCPU_RACE", "1");
  check_all(80);
}

TEST_CASE("fat binaries, plain and compressed by zstd") {
  check_warps(Module("instructions_plain.fatbin"));
  check_warps(Module("instructions.fatbin"));
}

}  // namespace ptxcpu_tests
