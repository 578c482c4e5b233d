// Session: what the handles of one open model share: the model, whether a job runs on it, and the flag that cancels it.
#pragma once

#include <atomic>
#include <memory>
#include <set>

#include "namesake/model.h"

namespace namesake::addon {

/// Something that holds engine memory of a session and lets go of it when the session closes.
class Part {
 public:
  virtual ~Part() = default;
  /// Frees what the part holds. Idempotent; called on the JavaScript thread while no job runs.
  virtual void release() = 0;
  /// Frees what the part's next job makes again. Called as release() is.
  virtual void trim() {}
};

/// The state is read and written on the JavaScript thread only. A job reads the model and the flag on its own thread, and
/// nothing is released while it runs. One job at a time: the backend's thread pool and cancel flag belong to the model.
class Session {
 public:
  enum class State { open, busy, closed };

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Gives the session its model, which opens it.
  void open(std::shared_ptr<Model> model);

  State state() const { return state_; }
  /// ok, engine.busy or engine.closed: may a job start now?
  Status ready() const;
  /// A job starts: open → busy, and an earlier cancel is forgotten. Fails as ready() does.
  Status begin();
  /// The job is over: busy → open.
  void end();
  /// Frees the parts, then the model: open → closed. engine.busy while a job runs; closing twice is fine.
  Status close();
  /// Frees what parts hold between their jobs, so that another job has the room. Called while no job runs.
  void trim();
  /// The running job ends soon with `cancelled`; nothing happens when none runs.
  void cancel();

  Model& model() const { return *model_; }
  std::shared_ptr<Model> shared_model() const { return model_; }
  /// What a job looks at between tiles.
  const std::atomic<bool>* cancel_flag() const { return &cancel_; }

  void add(Part* part) { parts_.insert(part); }
  void remove(Part* part) { parts_.erase(part); }

 private:
  State state_ = State::closed;
  std::atomic<bool> cancel_{false};
  std::shared_ptr<Model> model_;
  std::set<Part*> parts_;  // not owned: they own the session, and take themselves out when JavaScript collects them
};

}  // namespace namesake::addon
