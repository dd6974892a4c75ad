// An engine and a parser that tests steer: they block, fail and count as told.
#pragma once

#include <climits>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "parsers/parser_host.h"

namespace snug::serving {

// Shared by the fakes and the test.
class FakeControl {
 private:
  template <typename F>
  void Set(F f) {
    std::lock_guard lock(mutex_);
    f();
    changed_.notify_all();
  }
  template <typename F>
  auto Get(F f) const {
    std::lock_guard lock(mutex_);
    return f();
  }
  template <typename F>
  bool WaitFor(F f) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), f);
  }

 public:
  // Executions block from now on, until Release.
  void Hold() {
    Set([this] { held_ = true; });
  }
  void Release() {
    Set([this] { held_ = false; });
  }
  // The next `count` executions, or loads, give this.
  void FailExecutions(int count, Status status, bool process_dies = true) {
    Set([&] {
      failures_ = count;
      failure_ = std::move(status);
      process_dies_ = process_dies;
    });
  }
  void FailLoads(Status status, int count = INT_MAX) {
    Set([&] {
      load_failure_ = std::move(status);
      load_failures_ = count;
    });
  }
  // Called within each load.
  void OnLoad(std::function<void()> on_load) {
    Set([&] { on_load_ = std::move(on_load); });
  }
  int loads() const {
    return Get([this] { return loads_; });
  }
  void HoldLoads(bool held) {
    Set([&] { loads_held_ = held; });
  }

  // Waits until that many executions are inside the engine.
  bool WaitForRunning(int count) {
    return WaitFor([&] { return running_ == count; });
  }
  // Models say that they run in this process; 0: in ours.
  void SetProcess(int64_t process) {
    Set([&] { process_ = process; });
  }
  int64_t process() const {
    return Get([this] { return process_; });
  }
  int executions() const {
    return Get([this] { return executions_; });
  }
  int models() const {
    return Get([this] { return models_; });
  }
  // Of the last execution.
  std::thread::id executed_by() const {
    return Get([this] { return executed_by_; });
  }
  bool WaitForLoads(int count) {
    return WaitFor([&] { return loads_ == count; });
  }
  bool WaitForModels(int count) {
    return WaitFor([&] { return models_ == count; });
  }

  Status Execute() {
    std::unique_lock lock(mutex_);
    ++executions_;
    executed_by_ = std::this_thread::get_id();
    ++running_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    --running_;
    changed_.notify_all();
    if (failures_ == 0) return {};
    --failures_;
    if (process_ != 0 && process_dies_) ++process_;  // as if it had died and come back
    return failure_;
  }
  Status Load() {
    std::unique_lock lock(mutex_);
    ++loads_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !loads_held_; });
    const auto on_load = on_load_;
    const bool fails = load_failures_ > 0;
    if (fails) --load_failures_;
    Status failure = fails ? load_failure_ : Status();
    lock.unlock();
    if (on_load) on_load();
    return failure;
  }
  int trims(bool idle) const {
    return Get([&] { return trims_[idle ? 1 : 0]; });
  }
  void CountTrim(bool idle) {
    Set([&] { ++trims_[idle ? 1 : 0]; });
  }
  void CountModels(int by) {
    Set([&] { models_ += by; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false, loads_held_ = false;
  int running_ = 0, executions_ = 0, models_ = 0, failures_ = 0, loads_ = 0, load_failures_ = 0;
  int trims_[2] = {0, 0};
  std::thread::id executed_by_;
  std::function<void()> on_load_;
  int64_t process_ = 0;
  bool process_dies_ = true;
  Status failure_, load_failure_;
};

// Output "y" is a copy of input "x".
class FakeInstance : public engine::Instance {
 public:
  explicit FakeInstance(FakeControl& control) : control_(control) {}
  Result<std::vector<Tensor>> Execute(std::span<const TensorView> inputs,
                                      std::span<const uint8_t> wanted) override {
    SNUG_RETURN_IF_ERROR(control_.Execute());
    std::vector<Tensor> outputs;
    for (size_t i = 0; i < 2; ++i) {
      if (!wanted.empty() && wanted[i] == 0) continue;
      Buffer copy = Buffer::Allocate(inputs[0].bytes);
      if (inputs[0].bytes > 0) std::memcpy(copy.data(), inputs[0].data, inputs[0].bytes);
      outputs.push_back({i == 0 ? "y" : "z", inputs[0].dtype, inputs[0].shape, std::move(copy)});
    }
    return outputs;
  }

 private:
  FakeControl& control_;
};

class FakeModel : public engine::Model {
 public:
  FakeModel(FakeControl& control, engine::ModelInfo info) : control_(control), info_(std::move(info)) {
    control_.CountModels(1);
  }
  ~FakeModel() override { control_.CountModels(-1); }
  const engine::ModelInfo& info() const override { return info_; }
  int64_t process_id() const override { return control_.process(); }
  void Trim(bool idle) override { control_.CountTrim(idle); }
  Result<std::unique_ptr<engine::Instance>> CreateInstance() override {
    return std::unique_ptr<engine::Instance>(std::make_unique<FakeInstance>(control_));
  }

 private:
  FakeControl& control_;
  const engine::ModelInfo info_;
};

inline engine::ModelInfo FakeInfo() {
  engine::ModelInfo info;
  info.inputs = {{"x", DType::kFp32, {-1, 2}}};
  info.outputs = {{"y", DType::kFp32, {-1, 2}}, {"z", DType::kFp32, {-1, 2}}};
  info.memory_bytes = 1000;
  info.batch_is_free = true;
  info.description = "fake";
  return info;
}

class FakeEngineHost : public engine::EngineHost {
 public:
  explicit FakeEngineHost(FakeControl& control) : control_(control) {}
  Result<std::unique_ptr<engine::Model>> Load(const engine::LoadRequest& request) override {
    FakeControl& control = control_of ? control_of(request) : control_;
    SNUG_RETURN_IF_ERROR(control.Load());
    return std::unique_ptr<engine::Model>(std::make_unique<FakeModel>(control, info));
  }
  std::vector<std::string> Engines() const override { return {"fake"}; }
  Result<std::string> Recognise(const std::string&) const override { return std::string("fake"); }

  engine::ModelInfo info = FakeInfo();
  std::function<FakeControl&(const engine::LoadRequest&)> control_of;  // where models are steered apart

 private:
  FakeControl& control_;
};

// Payload "1 2" is x = [[1,2]]; the answer is y's bytes as "1 2".
class FakeParsed : public parsers::ParsedRequest {
 public:
  explicit FakeParsed(std::vector<Tensor> inputs) : inputs_(std::move(inputs)) {}
  const std::vector<Tensor>& inputs() const override { return inputs_; }
  Result<parsers::Answer> Format(std::span<const TensorView> outputs) override {
    const auto* y = static_cast<const float*>(outputs[0].data);
    return parsers::Answer{"text/plain", fmt::format("{} {}", y[0], y[1])};
  }

 private:
  const std::vector<Tensor> inputs_;
};

class FakeParser : public parsers::Parser {
 public:
  Result<std::unique_ptr<parsers::ParsedRequest>> Parse(const parsers::Payload& payload) override {
    float values[2];
    if (std::sscanf(std::string(payload.data).c_str(), "%f %f", &values[0], &values[1]) != 2) {
      return InvalidArgument("expected two numbers");
    }
    Buffer buffer = Buffer::Allocate(sizeof values);
    std::memcpy(buffer.data(), values, sizeof values);
    std::vector<Tensor> inputs{{"x", DType::kFp32, {1, 2}, std::move(buffer)}};
    return std::unique_ptr<parsers::ParsedRequest>(std::make_unique<FakeParsed>(std::move(inputs)));
  }
};

class FakeParserHost : public parsers::ParserHost {
 public:
  Result<std::unique_ptr<parsers::Parser>> CreateParser(const parsers::ParserRequest& request) override {
    if (request.parser != "pair") return NotFound("no parser \"{}\"", request.parser);
    return std::unique_ptr<parsers::Parser>(std::make_unique<FakeParser>());
  }
  std::vector<std::string> Parsers() const override { return {"pair"}; }
};

inline Tensor Floats(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  Buffer buffer = Buffer::Allocate(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(buffer.data(), values.data(), buffer.size());
  return {name, DType::kFp32, shape, std::move(buffer)};
}

inline std::vector<float> Values(const Tensor& tensor) {
  std::vector<float> values(tensor.buffer.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.buffer.data(), tensor.buffer.size());
  return values;
}

}  // namespace snug::serving
