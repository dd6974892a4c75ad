#include "engine/process_model.h"

#include <array>
#include <atomic>
#include <cstring>

#include "base/log.h"
#include "engine/channel.h"
#include "engine/frames.h"
#include "engine/outputs.h"
#include "engine/shared_memory.h"
#include "engine/signatures.h"

namespace snug::engine {
namespace {

constexpr uint64_t kInputBytesMax = uint64_t{1} << 30;  // of all inputs of one Execute
// Slots whose memory callers may hold on to; one more is for outputs that are copied out because all these
// are held.
constexpr uint32_t kLentSlotsMax = kOutputSlotsMax - 1;

// A region for outputs. `lent` while a caller still reads in it.
struct Slot {
  std::shared_ptr<SharedMemory> region;
  std::shared_ptr<std::atomic<bool>> lent = std::make_shared<std::atomic<bool>>(false);
  bool announced = false;  // to the process that runs now
};

class ProcessInstance : public Instance {
 public:
  ProcessInstance(std::shared_ptr<Supervisor> supervisor, std::string signature, ModelInfo info)
      : supervisor_(std::move(supervisor)),
        signature_(std::move(signature)),
        info_(std::move(info)),
        buffer_(kFrameBytesMax) {}

  // Makes an instance in the process that runs now, if it is another than before.
  Status Connect() {
    SNUG_ASSIGN_OR_RETURN(auto child, supervisor_->Current());
    if (child == child_) return {};
    auto socket = child->CreateInstance(signature_);
    if (!socket.ok()) return Broken(*child, socket.status());
    socket_ = std::move(*socket);
    SetReceiveTimeout(socket_.get(), supervisor_->execution_seconds_max());
    child_ = std::move(child);
    input_announced_ = false;
    for (Slot& slot : slots_) slot.announced = false;
    return {};
  }

  Result<std::vector<Tensor>> Execute(std::span<const TensorView> inputs,
                                      std::span<const uint8_t> wanted) override {
    const ModelInfo& info = info_;
    if (inputs.size() != info.inputs.size()) {
      return InvalidArgument("expected {} inputs, got {}", info.inputs.size(), inputs.size());
    }
    if (!wanted.empty() && wanted.size() != info.outputs.size()) {
      return InvalidArgument("expected a choice of {} outputs, got {}", info.outputs.size(), wanted.size());
    }
    SNUG_RETURN_IF_ERROR(Connect());
    SNUG_ASSIGN_OR_RETURN(Frame request, WriteInputs(inputs));
    request.wanted.assign(info.outputs.size(), 1);
    std::copy(wanted.begin(), wanted.end(), request.wanted.begin());
    request.slot = FreeSlot();
    Slot& slot = slots_[request.slot];
    SNUG_ASSIGN_OR_RETURN(Frame reply, Exchange(request, slot));
    if (reply.kind == FrameKind::kNeedSpace) {
      SNUG_ASSIGN_OR_RETURN(reply, CollectInto(slot, request.slot, reply.bytes));
    }
    return ReadOutputs(reply, request.slot, request.wanted);
  }

 private:
  Status Broken(EngineChild& child, const Status& status) {
    if (status.code() != Code::kUnavailable) return status;
    child_.reset();
    return supervisor_->Explain(child);
  }

  Status NoAnswer(const Status& status) {
    if (status.code() != Code::kDeadlineExceeded) return Broken(*child_, status);
    // Hung. No UNAVAILABLE: whoever tries that again would hang the next process.
    std::exchange(child_, nullptr)->Kill();
    Status hung = Error(status.code(),
                        "an execution of {} took longer than execution_timeout_s = {}: its process was "
                        "killed and is being restarted",
                        supervisor_->label(), supervisor_->execution_seconds_max());
    log::Error(hung.text());
    return hung;
  }

  Result<Frame> WriteInputs(std::span<const TensorView> inputs) {
    Frame frame;
    uint64_t total = 0;
    for (const TensorView& view : inputs) {
      if (view.bytes > kInputBytesMax - total) {
        return Error(Code::kResourceExhausted, "the inputs exceed the limit of {} bytes", kInputBytesMax);
      }
      frame.tensors.push_back({1, view.dtype, view.shape, total, view.bytes});
      total = std::min(total + AlignShared(view.bytes), kInputBytesMax);
    }
    SNUG_RETURN_IF_ERROR(EnsureInputRegion(total));
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].bytes > 0) {
        std::memcpy(input_region_->data() + frame.tensors[i].offset, inputs[i].data, inputs[i].bytes);
      }
    }
    frame.kind = FrameKind::kExecute;
    frame.new_input_region = !input_announced_;
    return frame;
  }

  Status EnsureInputRegion(uint64_t bytes) {
    if (input_region_ != nullptr && input_region_->size() >= bytes) return {};
    SNUG_ASSIGN_OR_RETURN(input_region_, SharedMemory::Create(RegionBytes(bytes)));
    input_announced_ = false;
    return {};
  }

  // A slot that no caller reads; the last one when all others are lent (its outputs are copied).
  uint32_t FreeSlot() const {
    uint32_t slot = 0;
    while (slot < kLentSlotsMax && slots_[slot].lent->load(std::memory_order_acquire)) ++slot;
    return slot;
  }

  // Sends a request with the regions that the process does not know yet, and waits for the answer.
  Result<Frame> Exchange(Frame& request, Slot& slot) {
    if (slot.region == nullptr) {
      SNUG_ASSIGN_OR_RETURN(slot.region, SharedMemory::Create(RegionBytes(ExpectedOutputBytes())));
      slot.announced = false;
    }
    request.new_output_region = !slot.announced;
    std::array<int, kPassedFdsMax> fds{};
    size_t count = 0;
    if (request.new_input_region) fds[count++] = input_region_->fd();
    if (request.new_output_region) fds[count++] = slot.region->fd();
    Status sent = SendFrame(socket_.get(), EncodeFrame(request, buffer_), std::span(fds).first(count));
    if (!sent.ok()) return Broken(*child_, sent);
    auto received = ReceiveFrame(socket_.get(), buffer_);
    if (!received.ok()) return NoAnswer(received.status());
    SNUG_ASSIGN_OR_RETURN(Frame reply, DecodeFrame(std::span(buffer_).first(received->bytes)));
    if (reply.kind == FrameKind::kError) return reply.error;
    input_announced_ = input_announced_ || request.new_input_region;
    slot.announced = true;
    return reply;
  }

  Result<Frame> CollectInto(Slot& slot, uint32_t index, uint64_t bytes) {
    SNUG_ASSIGN_OR_RETURN(slot.region, SharedMemory::Create(RegionBytes(bytes)));
    slot.announced = false;
    Frame collect;
    collect.kind = FrameKind::kCollect;
    collect.slot = index;
    return Exchange(collect, slot);
  }

  // Known when all outputs have fixed shapes; else a guess that the first answer corrects.
  uint64_t ExpectedOutputBytes() const {
    uint64_t total = 0;
    for (const TensorSpec& spec : info_.outputs) {
      total += AlignShared(ElementCount(spec.shape).value_or(0) * ElementBytes(spec.dtype));
    }
    return std::min(total, kInputBytesMax);
  }

  Result<std::vector<Tensor>> ReadOutputs(const Frame& reply, uint32_t index,
                                          const std::vector<uint8_t>& wanted) {
    const std::vector<TensorSpec>& specs = info_.outputs;
    if (reply.kind != FrameKind::kDone || reply.tensors.size() != specs.size()) {
      return Internal("engine process: an answer with {} outputs, expected {}", reply.tensors.size(),
                      specs.size());
    }
    std::vector<Tensor> outputs;
    std::shared_ptr<void> lease = Lend(index);
    for (size_t i = 0; i < specs.size(); ++i) {
      if (wanted[i] == 0) continue;
      SNUG_ASSIGN_OR_RETURN(Buffer buffer, ReadOutput(specs[i], reply.tensors[i], index, lease));
      outputs.push_back({specs[i].name, specs[i].dtype, reply.tensors[i].shape, std::move(buffer)});
    }
    return outputs;
  }

  Result<Buffer> ReadOutput(const TensorSpec& spec, const FrameTensor& tensor, uint32_t index,
                            const std::shared_ptr<void>& lease) {
    SharedMemory& region = *slots_[index].region;
    if (tensor.present == 0) return Internal("engine process: output \"{}\" is missing", spec.name);
    SNUG_RETURN_IF_ERROR(CheckOutput(spec, static_cast<int32_t>(tensor.dtype), tensor.shape, tensor.bytes));
    if (!region.Contains(tensor.offset, tensor.bytes)) {
      return Internal("engine process: output \"{}\" lies outside of its region", spec.name);
    }
    char* data = region.data() + tensor.offset;
    if (lease != nullptr) return Buffer::Borrow(data, tensor.bytes, lease);
    Buffer copy = Buffer::Allocate(tensor.bytes);
    if (tensor.bytes > 0) std::memcpy(copy.data(), data, tensor.bytes);
    return copy;
  }

  // Keeps the slot out of use, and its region mapped, until the last Buffer in it is gone. Null for the
  // copying slot.
  std::shared_ptr<void> Lend(uint32_t index) {
    if (index >= kLentSlotsMax) return nullptr;
    Slot& slot = slots_[index];
    slot.lent->store(true, std::memory_order_relaxed);
    return std::shared_ptr<void>(slot.region->data(), [region = slot.region, lent = slot.lent](void*) {
      lent->store(false, std::memory_order_release);
    });
  }

  const std::shared_ptr<Supervisor> supervisor_;
  const std::string signature_;         // empty: the model's own
  const ModelInfo info_;                // as that shows it
  std::shared_ptr<EngineChild> child_;  // where socket_ leads; null: not connected
  os::UniqueFd socket_;
  std::shared_ptr<SharedMemory> input_region_;
  bool input_announced_ = false;
  std::array<Slot, kOutputSlotsMax> slots_;
  std::vector<std::byte> buffer_;
};

class ProcessModel : public Model {
 public:
  explicit ProcessModel(std::shared_ptr<Supervisor> supervisor) : supervisor_(std::move(supervisor)) {}
  const ModelInfo& info() const override { return supervisor_->info(); }
  int64_t process_id() const override {
    auto child = supervisor_->Current();
    return child.ok() ? (*child)->pid() : 0;
  }
  void Trim(bool idle) override {
    if (auto child = supervisor_->Current(); child.ok()) (*child)->Trim(idle);
  }
  Result<std::unique_ptr<Instance>> CreateInstance() override { return CreateSignatureInstance({}); }
  Result<std::unique_ptr<Instance>> CreateSignatureInstance(const std::string& signature) override {
    SNUG_ASSIGN_OR_RETURN(ModelInfo view, InfoOfSignature(info(), signature));
    auto instance = std::make_unique<ProcessInstance>(supervisor_, signature, std::move(view));
    SNUG_RETURN_IF_ERROR(instance->Connect());
    return std::unique_ptr<Instance>(std::move(instance));
  }

 private:
  const std::shared_ptr<Supervisor> supervisor_;
};

}  // namespace

Result<std::unique_ptr<Model>> LoadInOwnProcess(ProcessOptions options) {
  SNUG_ASSIGN_OR_RETURN(auto supervisor, Supervisor::Start(std::move(options)));
  if (supervisor->info().decoupled) {
    return FailedPrecondition(
        "{} answers a request several times, which an engine process cannot pass on; set isolation: "
        "in-process",
        supervisor->label());
  }
  return std::unique_ptr<Model>(std::make_unique<ProcessModel>(std::move(supervisor)));
}

}  // namespace snug::engine
