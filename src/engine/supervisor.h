// Keeps a model's engine process alive: starts it, loads the model, and does so again, ever less eagerly,
// when it dies.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "engine/engine.h"
#include "engine/engine_child.h"

namespace snug::engine {

struct ProcessOptions {
  std::string program;  // path of snug-engine
  LoadCommand load;
  std::string label;  // for people: "ocr/3"
  int execution_seconds_max = kExecutionSecondsDefault;
};

// Thread-safe. Owns one thread, the parent of its processes.
class Supervisor {
 public:
  // Blocks until the first load is done; its failure is returned, and nothing is tried again.
  static Result<std::shared_ptr<Supervisor>> Start(ProcessOptions options);
  // Lets the process unload and end; kills it when it takes longer than kEndSecondsMax.
  ~Supervisor();

  const ModelInfo& info() const { return info_; }  // of the first load
  const std::string& label() const { return options_.label; }
  int execution_seconds_max() const { return options_.execution_seconds_max; }
  // The process to talk to. UNAVAILABLE while there is none, saying why.
  Result<std::shared_ptr<EngineChild>> Current();
  // What became of `child`, whose channel broke: UNAVAILABLE with how it ended. A process that closed its
  // channel but lives on is killed. Current() does not give it any more.
  Status Explain(EngineChild& child);

  static constexpr int kEndSecondsMax = 5;

 private:
  explicit Supervisor(ProcessOptions options) : options_(std::move(options)) {}
  void Run();
  Result<ModelInfo> StartChild();
  Status LoadAgain();
  void Watch();
  bool WaitUnlessStopping(Duration delay);
  Status Down(const std::string& how) const;

  const ProcessOptions options_;
  ModelInfo info_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<EngineChild> child_;  // the one that runs, loading or ready
  bool ready_ = false;
  bool started_ = false;  // the first load has succeeded or failed
  bool stopping_ = false;
  Status why_down_;
  std::thread thread_;
};

}  // namespace snug::engine
