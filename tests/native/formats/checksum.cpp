// Checksum: depends on every byte, its place and the length, and on nothing else.
#include "formats/checksum.h"

#include <random>
#include <set>
#include <vector>

#include "doctest/doctest.h"

namespace namesake {
namespace {

std::uint64_t sum_of(const std::vector<std::uint8_t>& bytes) {
  Checksum checksum;
  checksum.add(bytes.data(), bytes.size());
  return checksum.value();
}

}  // namespace

TEST_CASE("checksum: the same however the bytes are cut") {
  std::mt19937 random(3);
  std::vector<std::uint8_t> bytes(1000);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  const std::uint64_t whole = sum_of(bytes);
  for (int round = 0; round < 50; ++round) {
    Checksum checksum;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(bytes.size() - at, random() % 150);
      checksum.add(bytes.data() + at, size);
      at += size;
    }
    CHECK(checksum.value() == whole);
  }
}

TEST_CASE("checksum: another one for every bit that is turned, and every length") {
  std::set<std::uint64_t> sums;
  std::vector<std::uint8_t> bytes(200, 0);
  sums.insert(sum_of(bytes));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    sums.insert(sum_of(bytes));
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  }
  for (std::size_t size = 0; size < 200; ++size) sums.insert(sum_of(std::vector<std::uint8_t>(size, 0)));
  CHECK(sums.size() == 1 + 1600 + 200);
}

TEST_CASE("checksum: two stripes that change places are seen") {
  std::vector<std::uint8_t> one(128, 0), other(128, 0);
  one[3] = 1;
  other[67] = 1;
  CHECK(sum_of(one) != sum_of(other));
}

}  // namespace namesake
