// A machine with a made-up driver (fake_driver.cpp).
#pragma once

#include <memory>
#include <string>

#include "backend/cuda/driver.h"
#include "backend/cuda/driver_library.h"
#include "doctest/doctest.h"

namespace namesake::test {

/// The driver answers as the machine `profile` would, and at the end of the test nothing is left open on its cards.
class FakeMachine {
 public:
  explicit FakeMachine(const char* profile, const char* library = NAMESAKE_FAKE_DRIVER) : library_(library) {
    auto opened = cuda::open_library({library_});
    REQUIRE_MESSAGE(opened.ok(), opened.status().message);
    handle_ = opened.value().handle;
    function<void (*)(const char*)>("fake_driver_profile")(profile);
  }
  ~FakeMachine() { CHECK(open_things() == 0); }
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  Result<std::shared_ptr<const cuda::Driver>> open() const { return cuda::Driver::open(library_); }

  /// Its driver, which must be one that works.
  std::shared_ptr<const cuda::Driver> driver() const {
    auto opened = open();
    REQUIRE_MESSAGE(opened.ok(), opened.status().message);
    return opened.take();
  }

  /// Launches that nobody has waited for, on the machine "takes launches".
  int launches_ahead() const { return function<int (*)()>("fake_driver_ahead")(); }

  /// Contexts, streams, events and modules that exist.
  int open_things() const { return function<int (*)()>("fake_driver_open_things")(); }

 private:
  template <class Function>
  Function function(const char* name) const {
    return reinterpret_cast<Function>(cuda::find_function(handle_, name));
  }

  std::string library_;
  void* handle_ = nullptr;
};

}  // namespace namesake::test
