// Where the addon of the tests looks for the driver: it takes the place of native/backend/cuda/driver_places.cpp in that addon alone.
#include <cstdlib>

#include "backend/cuda/driver_library.h"

namespace namesake::cuda {

/// NAMESAKE_TEST_DRIVER: a stand-in by its path. Without one there is no driver, whatever the machine has.
std::vector<std::string> driver_places() {
  const char* path = std::getenv("NAMESAKE_TEST_DRIVER");
  return {path != nullptr ? path : "/nowhere/libcuda.so.1"};
}

}  // namespace namesake::cuda
