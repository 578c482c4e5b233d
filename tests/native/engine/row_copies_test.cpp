// Rows that are put side by side, and back.
#include "engine/row_copies.h"

#include "backend/fixture.h"
#include "engine/golden.h"

namespace namesake::test {

TEST_CASE("gathered rows stand side by side in order, and scattered ones in their places with the others untouched") {
  on_each_backend([](std::shared_ptr<Backend> backend) {
    const std::vector<float> all{0, 1, 10, 11, 20, 21, 30, 31, 40, 41};
    for (const std::vector<std::int32_t>& rows : {std::vector<std::int32_t>{}, {0}, {4}, {1, 2, 4}, {0, 1, 2, 3, 4}}) {
      Array from(*backend, all), dense(*backend, 2 * static_cast<std::int64_t>(rows.size())), to(*backend, std::vector<float>(10, -1));
      must(gather_rows(*backend, rows, from.data(), 2, dense.data()));
      std::vector<float> side_by_side, in_place(10, -1);
      for (const std::int32_t row : rows) {
        for (const std::size_t i : {2 * static_cast<std::size_t>(row), 2 * static_cast<std::size_t>(row) + 1}) {
          side_by_side.push_back(all[i]);
          in_place[i] = all[i];
        }
      }
      CHECK(dense.host() == side_by_side);
      must(scatter_rows(*backend, rows, dense.data(), 2, to.data()));
      CHECK(to.host() == in_place);
    }
  });
}

}  // namespace namesake::test
