// The matrix product on tensor cores, by itself: sums of 16-bit operands, which are exact to f32.
#include "backend/cuda/gemm.h"

#include <cmath>
#include <cstring>
#include <sstream>
#include <vector>

#include "backend/cuda/convert.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/cuda_fixture.h"
#include "backend/cuda/stand_in_counts.h"

TEST_SUITE_BEGIN("cuda");

namespace namesake::test {

namespace {

using cuda::CudaBackend;
using cuda::Form;
using cuda::Gemm;
using cuda::GemmTile;
using cuda::Half;

// What f32 sums of exact products differ by from sums in f64. Measured on seeds 1-3: 6e-7, 4e-6.
constexpr Tolerance kSums{2e-6, 1.2e-5, 1};

/// A matrix [rows, cols] rounded on the card, and its values. What stands behind the rows' ends is NaN.
class Operand {
 public:
  Operand(CudaBackend& backend, std::int64_t rows, std::int64_t cols, Random& random, bool factors, float size = 1)
      : cols_(cols), ld_(cuda::half_stride(cols)), factors_(factors), memory_(backend, (rows * ld_ + 1) / 2), factor_(backend, rows) {
    std::vector<float> x = random.normals(rows * cols, size);
    // Rows of their own sizes, so that each has a power of two of its own.
    for (std::size_t i = 0; i < x.size() && factors; ++i) x[i] *= std::ldexp(1.0f, int(static_cast<std::int64_t>(i) / cols % 5) * 7 - 14);
    const Array ax(backend, x);
    REQUIRE(cuda::round_rows(backend, {.x = ax.data(), .rows = rows, .cols = cols, .out = half(), .ld = ld_,
                                       .factor = factors ? factor_.data() : nullptr}).ok());
    std::vector<float> words = memory_.host();
    const std::vector<float> factor = factor_.host();
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < ld_; ++c) {
        char* const at = reinterpret_cast<char*>(words.data()) + 2 * (r * ld_ + c);
        if (c >= cols) {
          std::memset(at, 0xff, 2);
          continue;
        }
        std::uint16_t bits;
        std::memcpy(&bits, at, 2);
        values_.push_back(double(f16_to_f32(bits)) * (factors ? double(factor[static_cast<std::size_t>(r)]) : 1));
      }
    }
    REQUIRE(backend.upload(memory_.data(), words.data(), words.size() * sizeof(float)).ok());
  }

  Half* half() const { return reinterpret_cast<Half*>(memory_.data()); }
  std::int64_t ld() const { return ld_; }
  const float* factor() const { return factors_ ? factor_.data() : nullptr; }
  double at(std::int64_t r, std::int64_t c) const { return values_[static_cast<std::size_t>(r * cols_ + c)]; }

 private:
  std::int64_t cols_, ld_;
  bool factors_;
  Array memory_, factor_;
  std::vector<double> values_;
};

struct Product {
  Form form;
  std::int64_t M, N, depth, second_depth = 0;
  bool bias = false, residual = false, factors = false;

  std::string text() const {
    std::ostringstream out;
    out << "form " << int(form) << " M=" << M << " N=" << N << " depth=" << depth << "+" << second_depth << " bias=" << bias
        << " residual=" << residual << " factors=" << factors;
    return out.str();
  }
};

/// The operands of a product on the card, and what it should be.
struct Problem {
  struct Pair {
    Form form;
    std::int64_t depth;
    Operand a, b;

    Pair(CudaBackend& backend, const Product& p, std::int64_t k, Random& random)
        : form(p.form), depth(k),
          a(backend, p.form == Form::columns_columns ? k : p.M, p.form == Form::columns_columns ? p.M : k, random, p.factors),
          b(backend, p.form == Form::rows_rows ? p.N : k, p.form == Form::rows_rows ? k : p.N, random, false) {}

    cuda::GemmOperands operands() const { return {a.half(), a.ld(), b.half(), b.ld(), depth, a.factor()}; }
    double sum(std::int64_t m, std::int64_t n) const {
      double sum = 0;
      for (std::int64_t k = 0; k < depth; ++k) {
        sum += (form == Form::columns_columns ? a.at(k, m) : a.at(m, k)) * (form == Form::rows_rows ? b.at(n, k) : b.at(k, n));
      }
      return sum;
    }
  };

  Problem(CudaBackend& backend_, const Product& p)
      : backend(backend_), product(p), random(p.text()), first(backend, p, p.depth, random), second(backend, p, p.second_depth, random),
        bias(random.normals(p.N)), residual(random.normals(p.M * p.N)) {}

  std::vector<float> run(GemmTile tile) const {
    const Array abias(backend, bias), c(backend, product.residual ? residual : std::vector<float>(residual.size(), NAN));
    Gemm gemm{.form = product.form, .M = product.M, .N = product.N, .scale = 0.5f, .bias = product.bias ? abias.data() : nullptr,
              .residual = product.residual ? c.data() : nullptr, .c = c.data(), .ldc = product.N, .tile = tile};
    gemm.first = first.operands();
    if (product.second_depth > 0) gemm.second = second.operands();
    REQUIRE(cuda::gemm(backend, gemm).ok());
    return c.host();
  }

  std::vector<float> expected() const {
    std::vector<float> values;
    for (std::int64_t m = 0; m < product.M; ++m) {
      for (std::int64_t n = 0; n < product.N; ++n) {
        double value = 0.5 * (first.sum(m, n) + second.sum(m, n));
        if (product.bias) value += double(bias[static_cast<std::size_t>(n)]);
        if (product.residual) value += double(residual[static_cast<std::size_t>(m * product.N + n)]);
        values.push_back(float(value));
      }
    }
    return values;
  }

  CudaBackend& backend;
  Product product;
  Random random;
  Pair first, second;
  std::vector<float> bias, residual;
};

CudaBackend* backend_under_test() { return static_cast<CudaBackend*>(cuda_backend()); }

}  // namespace

TEST_CASE("cuda: gemm is the sum of its products in every form, and the same bits with either tile") {
  if (backend_under_test() == nullptr) return;
  for (Form form : {Form::rows_rows, Form::rows_columns, Form::columns_columns}) {
    const bool factors = form != Form::columns_columns;
    const Product products[] = {
        {form, 1, 1, 1, 0, true, false, false},      {form, 3, 17, 0, 0, true, true, false},     {form, 17, 33, 31, 1, false, true, factors},
        {form, 129, 65, 100, 20, true, true, factors}, {form, 70, 150, 33, 0, false, false, factors}, {form, 64, 128, 64, 64, true, false, factors}};
    for (const Product& product : products) {
      INFO(product.text());
      const Problem problem(*backend_under_test(), product);
      const std::vector<float> small = problem.run(GemmTile::small);
      check_close(small, problem.expected(), kSums);
      check_same_bits({problem.run(GemmTile::large)}, {small});
      if (!StandIn::there()) continue;
      const StandIn stand_in("PTXCPU_SCHED", "random:3");
      check_same_bits({problem.run(GemmTile::large), problem.run(GemmTile::small)}, {small, small});
    }
  }
}

TEST_CASE("cuda: a split product adds its pieces up in order") {
  if (backend_under_test() == nullptr) return;
  CudaBackend& backend = *backend_under_test();
  // Pieces of 512: none, a part of one, and more than are in scratch together.
  for (std::int64_t depth : {0, 300, 512, 4613}) {
    for (Form form : {Form::rows_rows, Form::rows_columns, Form::columns_columns}) {
      const Product product{form, 5, 9, depth, 0, false, true, form != Form::columns_columns};
      INFO(product.text());
      const Problem problem(backend, product);
      const auto run = [&](Backend&) {
        const Array c(backend, problem.residual), pieces(backend, cuda::split_gemm_floats(5, 9, depth));
        Gemm gemm{.form = form, .M = 5, .N = 9, .scale = 0.5f, .residual = c.data(), .c = c.data(), .ldc = 9};
        gemm.first = problem.first.operands();
        REQUIRE(cuda::split_gemm(backend, gemm, nullptr, pieces.data()).ok());
        return Outputs{c.host()};
      };
      const Outputs sums = run(backend);
      check_close(sums[0], problem.expected(), {kSums.relative_l2, kSums.max_over_rms, std::sqrt(double(depth))});
      check_orders(backend, run, sums);
    }
  }
}

// On the stand-in an access outside of an allocation is a fault.
TEST_CASE("cuda: gemm reads nothing outside of its operands") {
  if (backend_under_test() == nullptr) return;
  CudaBackend& backend = *backend_under_test();
  const std::int64_t M = 9, N = 17, depth = 5, c_bytes = M * N * 4;
  const auto bytes = [](std::int64_t rows, std::int64_t cols) { return 2 * rows * cuda::half_stride(cols); };
  for (Form form : {Form::rows_rows, Form::rows_columns, Form::columns_columns}) {
    for (GemmTile tile : {GemmTile::large, GemmTile::small}) {
      const bool a_across = form == Form::columns_columns, b_across = form != Form::rows_rows;
      std::vector<void*> memory;
      for (std::int64_t size : {a_across ? bytes(depth, M) : bytes(M, depth), b_across ? bytes(depth, N) : bytes(N, depth), c_bytes}) {
        auto made = backend.allocate(static_cast<std::size_t>(size));
        REQUIRE(made.ok());
        memory.push_back(made.value());
      }
      Gemm gemm{.form = form, .M = M, .N = N, .c = static_cast<float*>(memory[2]), .ldc = N, .tile = tile};
      gemm.first = {static_cast<Half*>(memory[0]), cuda::half_stride(a_across ? M : depth), static_cast<Half*>(memory[1]),
                    cuda::half_stride(b_across ? N : depth), depth, nullptr};
      REQUIRE(cuda::gemm(backend, gemm).ok());
      std::vector<float> c(static_cast<std::size_t>(M * N), NAN);
      REQUIRE(backend.download(c.data(), memory[2], c_bytes).ok());
      check_same_bits({c}, {std::vector<float>(c.size(), 0.0f)});
      for (void* each : memory) backend.release(each);
    }
  }
}

// How far a product is from the ideal, by what the stand-in counts: 256 x 256 with a depth of 512 and a low-rank term of 16.
TEST_CASE("cuda: gemm does no more products than there are, and reads an operand once a tile") {
  if (backend_under_test() == nullptr || !StandIn::there()) return;
  CudaBackend& backend = *backend_under_test();
  const std::int64_t M = 256, N = 256, K = 512, R = 16;
  const Problem problem(backend, Product{Form::rows_rows, M, N, K, R, false, false, true});
  const bool turing = backend.family() == cuda::KernelFamily::sm_75;
  const LaunchCounts counts = counts_of("gemm_rows_rows_large", [&] { problem.run(GemmTile::large); });
  // The second pair's depth is filled up to a step of 32: the only products beyond the ideal, 3 % here.
  const std::int64_t depth = K + 32, tiles = turing ? 8 : 4, tile_rows = 128, tile_cols = turing ? 64 : 128;
  CHECK(counts.mma == M / 16 * (N / 8) * (depth / (turing ? 8 : 16)));
  // Each tile reads its rows and columns once, real depth alone; the ideal, either operand once from memory, is what a second-level
  // cache leaves of it. C is written once.
  CHECK(counts.global_store_bytes == M * N * 4);
  const std::int64_t operands = tiles * (tile_rows + tile_cols) * (K + R) * 2, factors = tiles * 256 * 3 * 8 * 4 * 4;
  CHECK(counts.global_load_bytes >= operands);
  CHECK(counts.global_load_bytes <= operands + factors);
  // A warp loads fragments for 64 x 32 sums (sm_75: 32 x 32) of a depth of 16 by 6 (4) ldmatrix.
  CHECK(counts.ldmatrix == tiles * 8 * (depth / 16) * (turing ? 4 : 6));
}

}  // namespace namesake::test

TEST_SUITE_END();
