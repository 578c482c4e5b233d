// What the backend tests share: seeds, guarded memory, the backends under test, and the three comparisons
// (with the reference, across thread counts, one row alone).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/ops.h"
#include "doctest/doctest.h"

namespace namesake::test {

/// The run's seed: SEED of the environment, else 1. Printed once.
std::uint64_t run_seed();

/// Counter-free small generator (SplitMix64), keyed by the run's seed and a name, so that each case stands alone.
class Random {
 public:
  explicit Random(const std::string& name);
  std::uint64_t bits();
  std::int64_t integer(std::int64_t low, std::int64_t high);   ///< low <= value < high
  /// About normal with this deviation, rounded to a multiple of 2^-12: x ± 2^-5 is then exact, as finite differences need.
  float normal(float deviation = 1);
  std::vector<float> normals(std::int64_t n, float deviation = 1);

 private:
  std::uint64_t state_;
};

/// n floats in backend memory between two guards of NaN: a write outside is found at destruction, a read outside poisons the
/// result. Starts as NaN, or as a copy of host values.
class Array {
 public:
  Array(Backend& backend, std::int64_t n);
  Array(Backend& backend, const std::vector<float>& host);
  ~Array();
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  float* data() const { return data_; }
  std::vector<float> host() const;

 private:
  Backend& backend_;
  std::int64_t n_;
  float* memory_ = nullptr;
  float* data_ = nullptr;
};

/// Integers in backend memory, between two guards that no op may take for an index.
class Integers {
 public:
  Integers(Backend& backend, const std::vector<std::int32_t>& host);
  ~Integers() { backend_.release(memory_); }
  Integers(const Integers&) = delete;
  Integers& operator=(const Integers&) = delete;

  const std::int32_t* data() const { return memory_ + kGuard; }

 private:
  static constexpr std::int64_t kGuard = 16;

  Backend& backend_;
  std::int32_t* memory_ = nullptr;
};

/// Random blocks of one format in host memory, with NaN bytes before and after; the first byte is 32-byte aligned, as in GGUF.
class Blocks {
 public:
  Blocks(BlockType type, std::int64_t rows, std::int64_t cols, Random& random);
  const Matrix& matrix() const { return matrix_; }

 private:
  struct Scales {
    std::vector<std::uint8_t> absmax;
    std::vector<float> nested;
    Nf4Scales view;
  };
  void make_scales(Random& random);

  std::vector<std::byte> memory_;
  std::shared_ptr<Scales> scales_;  // of nf4; copies share it
  Matrix matrix_;
};

inline constexpr BlockType kBlockTypes[] = {BlockType::f32,  BlockType::f16,  BlockType::bf16, BlockType::q4_0,
                                            BlockType::q4_1, BlockType::q5_0, BlockType::q5_1, BlockType::q8_0,
                                            BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::nf4};

/// The least number of columns, `cols` or more, that rows of this format can have.
std::int64_t whole_blocks(BlockType type, std::int64_t cols);

/// Every output of one op, one vector an output.
using Outputs = std::vector<std::vector<float>>;

/// Largest relative L2 error, and largest error of one element over the root mean square, of each output. Outputs smaller
/// than `floor` (root mean square) are measured against it: what cancels out keeps the error of its terms.
struct Tolerance {
  double relative_l2, max_over_rms, floor = 0;
};

/// Compares one output with what it should be.
void check_close(const std::vector<float>& actual, const std::vector<float>& expected, Tolerance tolerance);
void check_same_bits(const Outputs& actual, const Outputs& expected);

Backend& reference();

/// The CPU backends of this machine: isa × threads. A missing isa is printed by name, once. BACKEND=isa keeps one.
struct Subject {
  std::string isa;
  std::vector<std::shared_ptr<Backend>> by_threads;  ///< 1, 2 and 3 threads
};
const std::vector<Subject>& subjects();

/// Whether a subject multiplies matrices that are not f32 with operands rounded to bf16.
bool rounds_products(const Subject& subject);

/// Runs `run` on the reference and on every subject: outputs agree within the tolerance, and are the same bits for any number
/// of threads. `what` names the shape in messages. `rounded` takes the tolerance's place on subjects with rounds_products.
void check_agrees(const std::string& what, const std::function<Outputs(Backend&)>& run, Tolerance tolerance,
                  std::optional<Tolerance> rounded = {});

/// run(backend, first, count) computes rows first..first+count-1 of a fixed problem of M rows. Some rows alone, and a few
/// together, must give the same bits as in the whole, on the reference and on every subject.
void check_rows_alone(const std::string& what, std::int64_t M,
                      const std::function<Outputs(Backend&, std::int64_t first, std::int64_t count)>& run);

/// Relative L2 error of `gradient` against fourth-order central differences of `loss` in each element of x (step 2^-5), which
/// is read by loss.
double gradient_error(std::vector<float>& x, const std::vector<float>& gradient, const std::function<double()>& loss);

/// Σ a b in f64.
double inner(const std::vector<float>& a, const std::vector<float>& b);

/// Rows first..first+count-1 of a [rows, width] array.
template <class T>
std::vector<T> slice(const std::vector<T>& x, std::int64_t width, std::int64_t first, std::int64_t count) {
  return {x.begin() + first * width, x.begin() + (first + count) * width};
}

/// The command that runs just this test case again.
std::string rerun_command(const std::string& isa);

}  // namespace namesake::test
