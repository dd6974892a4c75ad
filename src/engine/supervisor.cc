#include "engine/supervisor.h"

#include "base/log.h"
#include "engine/backoff.h"

namespace snug::engine {
namespace {

constexpr Duration kEndReportMax = std::chrono::seconds(2);

}  // namespace

Result<std::shared_ptr<Supervisor>> Supervisor::Start(ProcessOptions options) {
  std::shared_ptr<Supervisor> supervisor(new Supervisor(std::move(options)));
  supervisor->thread_ = std::thread([self = supervisor.get()] { self->Run(); });
  std::unique_lock lock(supervisor->mutex_);
  supervisor->changed_.wait(lock, [&] { return supervisor->started_; });
  if (supervisor->ready_) return supervisor;
  Status failed = supervisor->why_down_;
  lock.unlock();
  return failed;
}

Supervisor::~Supervisor() {
  std::shared_ptr<EngineChild> child;
  bool ready = false;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    child = child_;
    ready = ready_;
    changed_.notify_all();
  }
  if (child != nullptr) {
    if (ready) child->RequestEnd();
    if (!ready || !child->AwaitEnd(std::chrono::seconds(kEndSecondsMax))) child->Kill();
  }
  thread_.join();
}

Status Supervisor::Down(const std::string& how) const {
  return Unavailable("engine process of {} {}; it is being restarted", options_.label, how);
}

Result<std::shared_ptr<EngineChild>> Supervisor::Current() {
  std::lock_guard lock(mutex_);
  if (ready_) return child_;
  return why_down_;
}

Status Supervisor::Explain(EngineChild& child) {
  auto end = child.AwaitEnd(kEndReportMax);
  if (!end) {
    child.Kill();
    end = child.AwaitEnd(kEndReportMax);
  }
  Status down = Down(end.value_or("does not answer"));
  // Before our thread gets to it: whoever was told that the process is gone finds it gone.
  std::lock_guard lock(mutex_);
  if (ready_ && child_.get() == &child) {
    ready_ = false;
    why_down_ = down;
  }
  return down;
}

// Starts a process and loads the model into it; `child_` is set meanwhile, so that stopping can kill it.
Result<ModelInfo> Supervisor::StartChild() {
  SNUG_ASSIGN_OR_RETURN(auto child, EngineChild::Start(options_.program, options_.label));
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Error(Code::kCancelled, "the model is being unloaded");
    child_ = child;
  }
  auto info = child->Load(options_.load);
  if (info.ok()) return info;
  bool died = info.status().code() == Code::kUnavailable;
  child->Kill();
  child->WaitForEnd();
  if (!died) return info.status();
  return Internal("engine process of {} {} while it loaded the model", options_.label,
                  *child->AwaitEnd(Duration(0)));
}

Status Supervisor::LoadAgain() {
  SNUG_ASSIGN_OR_RETURN(ModelInfo info, StartChild());
  if (info.inputs == info_.inputs && info.outputs == info_.outputs) return {};
  return FailedPrecondition("the files of {} have changed: its inputs or outputs are others now",
                            options_.label);
}

void Supervisor::Run() {
  auto first = StartChild();
  {
    std::lock_guard lock(mutex_);
    started_ = true;
    ready_ = first.ok();
    if (first.ok())
      info_ = *first;
    else
      why_down_ = first.status();
    changed_.notify_all();
  }
  if (first.ok()) Watch();
}

bool Supervisor::WaitUnlessStopping(Duration delay) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, delay, [this] { return stopping_; });
}

// From ready to ready, until stopped.
void Supervisor::Watch() {
  Backoff backoff;
  for (;;) {
    TimePoint since = SystemClock().Now();
    child_->WaitForEnd();
    {
      std::lock_guard lock(mutex_);
      ready_ = false;
      if (stopping_) return;
      why_down_ = Down(*child_->AwaitEnd(Duration(0)));
    }
    log::Error(why_down_.text(), {{"pid", std::to_string(child_->pid())}});
    Duration uptime = SystemClock().Now() - since;
    for (;;) {
      if (!WaitUnlessStopping(backoff.Next(std::exchange(uptime, Duration(0))))) return;
      Status again = LoadAgain();
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      ready_ = again.ok();
      if (again.ok()) break;
      why_down_ = Unavailable("engine process of {} cannot be restarted: {}", options_.label, again.text());
      log::Error(why_down_.text());
    }
    log::Info("engine process restarted",
              {{"model", options_.label}, {"pid", std::to_string(child_->pid())}});
  }
}

}  // namespace snug::engine
