// CancelScope: a backend looks at one caller's flag, for the length of a call.
#pragma once

#include <atomic>

#include "backend/ops.h"

namespace namesake {

class CancelScope {
 public:
  CancelScope(Backend& backend, const std::atomic<bool>* flag) : backend_(backend) { backend_.set_cancel(flag); }
  ~CancelScope() { backend_.set_cancel(nullptr); }
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

 private:
  Backend& backend_;
};

}  // namespace namesake
