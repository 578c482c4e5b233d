#include "addon/session.h"

#include <utility>

namespace namesake::addon {

void Session::open(std::shared_ptr<Model> model) {
  model_ = std::move(model);
  state_ = State::open;
}

Status Session::ready() const {
  switch (state_) {
    case State::open: return {};
    case State::busy: return Status::error(Code::engine_busy, "a job is running on this model");
    case State::closed: return Status::error(Code::engine_closed, "the model is closed");
  }
  return Status::error(Code::internal, "unknown session state");
}

Status Session::begin() {
  NAMESAKE_TRY(ready());
  cancel_ = false;
  state_ = State::busy;
  return {};
}

void Session::end() { state_ = State::open; }

Status Session::close() {
  if (state_ == State::closed) return {};
  NAMESAKE_TRY(ready());
  state_ = State::closed;
  for (Part* part : parts_) part->release();
  model_.reset();
  return {};
}

void Session::trim() {
  for (Part* part : parts_) part->trim();
}

void Session::cancel() {
  if (state_ == State::busy) cancel_ = true;
}

}  // namespace namesake::addon
