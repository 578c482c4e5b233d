// AMX's instructions for a CPU without them: each traps as illegal, is read and done on the software tile file. Linux on x86-64.
#pragma once

#include <cstdint>

namespace namesake::test {

/// While one lives, tile instructions of any thread are done by TileFile::of_this_thread(). One at a time.
class TileTraps {
 public:
  TileTraps();
  ~TileTraps();
  TileTraps(const TileTraps&) = delete;
  TileTraps& operator=(const TileTraps&) = delete;

  /// Instructions done so far.
  static std::int64_t done();
};

}  // namespace namesake::test
