// A prefix that all sequences share is computed once: the loss is the same bit for bit, the gradients within rounding.
#include "engine/packed.h"

#include <span>

#include "engine/golden.h"

namespace namesake::test {

TEST_CASE("pack: the common beginning becomes one run of rows, and wanted rows follow") {
  const std::vector<std::int32_t> ids{7, 8, 9, 1, 2, 3, 7, 8, 9, 1, 4, 7, 8, 9, 1, 5, 6};
  const std::vector<std::int32_t> positions{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5};
  const std::vector<std::int32_t> cu_seqlens{0, 6, 11, 17};
  const std::vector<std::int32_t> rows{4, 15};
  const Packed packed = namesake::pack(ids, positions, cu_seqlens, rows);
  CHECK(packed.prefix == 4);
  CHECK(packed.ids == std::vector<std::int32_t>{7, 8, 9, 1, 2, 3, 4, 5, 6});
  CHECK(packed.positions == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 4, 4, 5});
  CHECK(packed.own == std::vector<std::int32_t>{4, 6, 7, 9});
  CHECK(packed.cu_seqlens == cu_seqlens);
  CHECK(packed.wanted == std::vector<std::int32_t>{4, 7});
  CHECK(packed.outputs() == 2);
}

TEST_CASE("pack: a wanted row, an empty or single sequence, or a short beginning keeps sequences apart") {
  const std::vector<std::int32_t> ids{7, 8, 9, 1, 2, 7, 8, 9, 1, 3}, positions{0, 1, 2, 3, 4, 0, 1, 2, 3, 4};
  std::vector<std::int32_t> none, early{3, 8};
  CHECK(namesake::pack(ids, positions, std::vector<std::int32_t>{0, 5, 10}, none).prefix == 4);
  CHECK(namesake::pack(ids, positions, std::vector<std::int32_t>{0, 5, 10}, early).prefix == 0);
  CHECK(namesake::pack(ids, positions, std::vector<std::int32_t>{0, 10}, none).prefix == 0);
  CHECK(namesake::pack(ids, positions, std::vector<std::int32_t>{0, 5, 5, 10}, none).prefix == 0);
  CHECK(namesake::pack(ids, positions, std::vector<std::int32_t>{0, 4, 10}, none).prefix == 0);
}

TEST_CASE("rows of some of the sequences lie in the pass over all of them, which may share less of their beginning") {
  // The second and the fourth go on alike for three tokens more.
  const std::vector<std::vector<std::int32_t>> sequences{{1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 7, 8, 9, 10}, {1, 2, 3, 4, 11}, {1, 2, 3, 4, 7, 8, 9, 12, 13}};
  const auto packed_of = [&](const std::vector<std::int32_t>& which) {
    std::vector<std::int32_t> ids, positions, cu_seqlens{0};
    for (std::int32_t s : which) {
      for (std::int32_t id : sequences[static_cast<std::size_t>(s)]) {
        positions.push_back(static_cast<std::int32_t>(ids.size()) - cu_seqlens.back());
        ids.push_back(id);
      }
      cu_seqlens.push_back(static_cast<std::int32_t>(ids.size()));
    }
    return namesake::pack(ids, positions, cu_seqlens, {});
  };
  const Packed whole = packed_of({0, 1, 2, 3});
  CHECK(whole.prefix == 4);
  CHECK(packed_of({1, 3}).prefix == 7);
  const std::vector<std::vector<std::int32_t>> parts{{0, 1, 2, 3}, {1, 3}, {0, 2}, {3}, {2, 3}};
  for (const std::vector<std::int32_t>& sequences_of_part : parts) {
    const Packed part = packed_of(sequences_of_part);
    const std::vector<std::int32_t> rows = rows_in(whole, sequences_of_part, part);
    REQUIRE(rows.size() == part.ids.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      CHECK(whole.ids[static_cast<std::size_t>(rows[i])] == part.ids[i]);
      CHECK(whole.positions[static_cast<std::size_t>(rows[i])] == part.positions[i]);
      if (i > 0) CHECK(rows[i] > rows[i - 1]);
    }
  }
  CHECK(rows_in(whole, {}, packed_of({})).empty());
}

namespace {

/// Sequences of one beginning and different ends; the labels are of the ends.
Batch batch_of(const std::vector<std::vector<std::int32_t>>& ends, std::int32_t beginning) {
  Batch batch;
  batch.cu_seqlens = {0};
  for (const std::vector<std::int32_t>& end : ends) {
    std::vector<std::int32_t> ids;
    for (std::int32_t i = 0; i < beginning; ++i) ids.push_back(20 + (i * 37) % 200);
    ids.insert(ids.end(), end.begin(), end.end());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool labelled = i > static_cast<std::size_t>(beginning);
      batch.ids.push_back(ids[i]);
      batch.positions.push_back(static_cast<std::int32_t>(i));
      batch.labels.push_back(labelled ? ids[i] : -100);
      batch.ce_weights.push_back(labelled ? 0.05f : 0);
      batch.kl_weights.push_back(labelled && end.size() % 2 == 0 ? 0.03f : 0);
    }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  return batch;
}

}  // namespace

TEST_CASE("a shared beginning changes no bit of the loss, and gradients only by rounding, with activations of 16 bits too") {
  const std::vector<std::vector<std::int32_t>> ends{{11, 12, 13, 14}, {30, 31, 32}, {50, 51, 52, 53, 54, 55}, {99, 98}};
  for (const std::string name : {"tiny-llama", "tiny-qwen3", "tiny-internlm2"}) {
    on_each_backend([&](std::shared_ptr<Backend> backend) {
      CAPTURE(name);
      const auto model = open_model(name, backend);
      const auto adapter = golden_adapter(name, *model);
      const Batch together = batch_of(ends, 19);
      std::vector<Batch> alone;
      for (const auto& end : ends) alone.push_back(batch_of({end}, 19));
      for (const int activation_bits : {32, 16}) {
        CAPTURE(activation_bits);
        const Gradients shared = must(gradients(*model, *adapter, std::span(&together, 1), activation_bits));
        const Gradients apart = must(gradients(*model, *adapter, alone, activation_bits));
        CHECK(shared.result.loss == apart.result.loss);
        for (std::size_t t = 0; t < shared.tensors.size(); ++t) {
          CAPTURE(shared.tensors[t].first);
          // In bf16 a sum of gradients is rounded where its terms were: measured 2.7e-3.
          CHECK(relative_l2(shared.tensors[t].second, apart.tensors[t].second) <= (rounds_products(*model) ? 1e-2 : 1e-5));
        }
      }
    });
  }
}

}  // namespace namesake::test
