#include "engine/engine_process.h"

#include <array>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "engine/channel.h"
#include "engine/commands.h"
#include "engine/frames.h"
#include "engine/local_model.h"
#include "engine/plugin.h"
#include "engine/shared_memory.h"
#include "engine/signatures.h"
#include "os/heap.h"

namespace snug::engine {
namespace {

// Memory of this process alone: what its end gives back. Pages of libraries are shared with other engine
// processes.
uint64_t OwnBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %llu kB", &kib) == 1) return kib * 1024;
  }
  return 0;
}

// Outputs go into the slot's region while they fit, else to the heap until the host has sent a larger region.
class SlotOutputs : public OutputMemory {
 public:
  struct Place {
    uint64_t offset = 0;
    Buffer heap;  // empty when the output lies in the region
  };
  SlotOutputs(SharedMemory* region, size_t count) : region_(region), places_(count) {}

  void* Allocate(uint32_t index, uint64_t bytes) override {
    uint64_t offset = std::exchange(total_, total_ + AlignShared(bytes));
    places_[index].offset = offset;
    if (region_ != nullptr && region_->Contains(offset, bytes)) return region_->data() + offset;
    fits_ = false;
    places_[index].heap = Buffer::Allocate(bytes);
    return places_[index].heap.data();
  }
  bool fits() const { return fits_; }
  uint64_t total() const { return total_; }
  const Place& place(size_t index) const { return places_[index]; }

 private:
  SharedMemory* region_;
  std::vector<Place> places_;
  uint64_t total_ = 0;
  bool fits_ = true;
};

// One instance and its socket, served by one thread.
class InstanceServer {
 public:
  InstanceServer(os::UniqueFd socket, std::unique_ptr<LocalInstance> instance, ModelInfo info,
                 uint64_t bytes_max)
      : socket_(std::move(socket)),
        instance_(std::move(instance)),
        info_(std::move(info)),
        output_bytes_max_(bytes_max) {}

  void Run() {
    std::vector<std::byte> buffer(kFrameBytesMax);
    for (;;) {
      auto received = ReceiveFrame(socket_.get(), buffer);
      if (!received.ok()) return;
      Frame reply = Answer(std::span(buffer).first(received->bytes), std::move(received->fds));
      if (!SendFrame(socket_.get(), EncodeFrame(reply, buffer)).ok()) return;
    }
  }

 private:
  // An execution whose outputs wait for a larger region.
  struct Pending {
    std::shared_ptr<SharedMemory> region;  // keeps what lies in it while the slot gets another
    SlotOutputs memory;
    OutputCollector collector;
    Pending(std::shared_ptr<SharedMemory> r, const ModelInfo& info, uint64_t bytes_max)
        : region(std::move(r)),
          memory(region.get(), info.outputs.size()),
          collector(info.outputs, bytes_max, memory) {}
  };

  Frame Answer(std::span<const std::byte> bytes, std::vector<os::UniqueFd> fds) {
    auto frame = DecodeFrame(bytes);
    if (!frame.ok()) return ErrorFrame(frame.status());
    Status adopted = AdoptRegions(*frame, std::move(fds));
    if (!adopted.ok()) return ErrorFrame(adopted);
    if (frame->kind == FrameKind::kExecute) return Execute(*frame);
    if (frame->kind == FrameKind::kCollect) return Collect(*frame);
    return ErrorFrame(Internal("frame: not a request"));
  }

  static Frame ErrorFrame(Status status) {
    Frame frame;
    frame.kind = FrameKind::kError;
    frame.error = std::move(status);
    return frame;
  }

  Status AdoptRegions(const Frame& frame, std::vector<os::UniqueFd> fds) {
    if (fds.size() != frame.RegionCount()) {
      return Internal("frame: {} regions announced, {} attached", frame.RegionCount(), fds.size());
    }
    size_t next = 0;
    if (frame.new_input_region) {
      SNUG_ASSIGN_OR_RETURN(input_region_, SharedMemory::Map(std::move(fds[next++])));
    }
    if (frame.new_output_region) {
      SNUG_ASSIGN_OR_RETURN(slots_[frame.slot], SharedMemory::Map(std::move(fds[next])));
    }
    return {};
  }

  Frame Execute(const Frame& request) {
    std::vector<TensorView> inputs;
    for (size_t i = 0; i < request.tensors.size(); ++i) {
      const FrameTensor& tensor = request.tensors[i];
      if (input_region_ == nullptr || !input_region_->Contains(tensor.offset, tensor.bytes) ||
          i >= info_.inputs.size()) {
        return ErrorFrame(Internal("frame: input {} lies outside of its region", i));
      }
      inputs.push_back({info_.inputs[i].name, tensor.dtype, tensor.shape,
                        input_region_->data() + tensor.offset, tensor.bytes});
    }
    pending_ = std::make_unique<Pending>(slots_[request.slot], info_, output_bytes_max_);
    Status status = instance_->ExecuteInto(inputs, request.wanted, pending_->collector);
    if (!status.ok()) return ErrorFrame(status);
    if (pending_->memory.fits()) return DoneFrame();
    Frame frame;
    frame.kind = FrameKind::kNeedSpace;
    frame.bytes = pending_->memory.total();
    return frame;
  }

  Frame Collect(const Frame& request) {
    SharedMemory* region = slots_[request.slot].get();
    if (pending_ == nullptr || region == nullptr || region->size() < pending_->memory.total()) {
      return ErrorFrame(Internal("frame: nothing to collect, or too little room"));
    }
    const auto& outputs = pending_->collector.outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].present || outputs[i].bytes == 0) continue;
      std::memcpy(region->data() + pending_->memory.place(i).offset, outputs[i].data, outputs[i].bytes);
    }
    return DoneFrame();
  }

  Frame DoneFrame() {
    Frame frame;
    frame.kind = FrameKind::kDone;
    const auto& outputs = pending_->collector.outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      frame.tensors.push_back({outputs[i].present ? 1u : 0u, outputs[i].dtype, outputs[i].shape,
                               pending_->memory.place(i).offset, outputs[i].bytes});
    }
    pending_.reset();
    return frame;
  }

  const os::UniqueFd socket_;
  const std::unique_ptr<LocalInstance> instance_;
  const ModelInfo info_;  // as the instance's signature shows it
  const uint64_t output_bytes_max_;
  std::shared_ptr<SharedMemory> input_region_;
  std::array<std::shared_ptr<SharedMemory>, kOutputSlotsMax> slots_;
  std::unique_ptr<Pending> pending_;
};

class EngineProcess {
 public:
  explicit EngineProcess(int socket) : socket_(socket) {}

  int Run() {
    for (;;) {
      auto message = ReceiveControl(socket_);
      if (!message.ok()) break;
      auto answer = Answer(*message);
      if (answer && !SendControl(socket_, *answer).ok()) break;
    }
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return running_ == 0; });
    model_.reset();
    return 0;
  }

 private:
  std::optional<std::string> Answer(ControlMessage& message) {
    auto command = DecodeCommand(message.json);
    if (!command.ok()) return EncodeStatus(command.status());
    switch (command->kind) {
      case Command::Kind::kCreateInstance:
        return EncodeStatus(CreateInstance(command->signature, std::move(message.fds)));
      case Command::Kind::kTrim:
        Trim(command->idle);
        return std::nullopt;
      case Command::Kind::kLoad:
        break;
    }
    Status status = Load(command->load);
    if (!status.ok()) return EncodeStatus(status);
    ModelInfo info = model_->info();
    info.memory_bytes = std::max(info.memory_bytes, OwnBytes());
    return EncodeInfo(info);
  }

  Status Load(const LoadCommand& command) {
    if (model_ != nullptr) return FailedPrecondition("engine process: a model is loaded already");
    output_bytes_max_ = command.output_bytes_max;
    SNUG_ASSIGN_OR_RETURN(auto plugin, Plugin::Open(command.plugin));
    LocalEngineOptions options{command.threads, command.cache_dir, command.output_bytes_max};
    SNUG_ASSIGN_OR_RETURN(auto engine, LocalEngine::Create(plugin, options));
    SNUG_ASSIGN_OR_RETURN(model_, engine->Load(command.directory, command.options_json));
    return {};
  }

  void Trim(bool idle) {
    if (model_ == nullptr) return;
    model_->Trim(idle);
    os::TrimHeap();
  }

  Status CreateInstance(const std::string& signature, std::vector<os::UniqueFd> fds) {
    if (model_ == nullptr || fds.size() != 1)
      return FailedPrecondition("engine process: create_instance out of turn");
    SNUG_ASSIGN_OR_RETURN(ModelInfo info, InfoOfSignature(model_->info(), signature));
    SNUG_ASSIGN_OR_RETURN(auto instance, CreateLocalInstance(*model_, signature));
    auto server = std::make_shared<InstanceServer>(std::move(fds[0]), std::move(instance), std::move(info),
                                                   output_bytes_max_);
    {
      std::lock_guard lock(mutex_);
      ++running_;
    }
    std::thread([this, server = std::move(server)]() mutable {
      server->Run();
      server.reset();
      std::lock_guard lock(mutex_);
      if (--running_ == 0) idle_.notify_all();
    }).detach();
    return {};
  }

  const int socket_;
  uint64_t output_bytes_max_ = 0;
  std::unique_ptr<Model> model_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int running_ = 0;  // instances
};

}  // namespace

int RunEngineProcess(int control_socket) {
  return EngineProcess(control_socket).Run();
}

}  // namespace snug::engine
