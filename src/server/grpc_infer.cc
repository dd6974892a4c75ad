// ModelInfer and Predict: bytes in, bytes out, one copy of a tensor on the way in (the protobuf's) and none
// on the way out.
#include <google/protobuf/arena.h>
#include <snug/v1/prediction.pb.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "server/grpc_methods.h"
#include "server/oip_tensor.h"

namespace snug::server {
namespace {

// Smaller tensors are copied into the answer's first slice: cheaper than a slice of their own.
constexpr size_t kSliceBytesMin = 4096;
constexpr uint8_t kRawOutputTag = (6 << 3) | 2;  // ModelInferResponse.raw_output_contents, length-delimited
constexpr size_t kRawHeadBytesMax = 11;          // the tag and a varint
constexpr size_t kArenaBlockBytes = 1024;        // holds the messages of a request with a few small tensors

// A request's messages in one block; tensors borrow from it.
struct InferArena {
  alignas(16) char block[kArenaBlockBytes];
  google::protobuf::Arena arena{block, sizeof block};
  inference::ModelInferRequest* request =
      google::protobuf::Arena::CreateMessage<inference::ModelInferRequest>(&arena);
};

std::shared_ptr<inference::ModelInferRequest> NewRequest() {
  auto arena = std::make_shared<InferArena>();
  return {arena, arena->request};
}

uint8_t* WriteRawHead(uint8_t* out, size_t bytes) {
  *out++ = kRawOutputTag;
  for (; bytes >= 0x80; bytes >>= 7) *out++ = static_cast<uint8_t>(bytes | 0x80);
  *out++ = static_cast<uint8_t>(bytes);
  return out;
}

// A slice of the tensor's own memory.
grpc::Slice Borrow(const Tensor& tensor) {
  auto* owner = new Buffer(tensor.buffer);
  return grpc::Slice(
      owner->data(), owner->size(), [](void* held) { delete static_cast<Buffer*>(held); }, owner);
}

// The message's own bytes, then raw_output_contents: the highest field number, so that they may simply
// follow.
class AnswerWriter {
 public:
  explicit AnswerWriter(const inference::ModelInferResponse& head) {
    Reserve(head.ByteSizeLong());
    end_ = head.SerializeWithCachedSizesToArray(end_);
  }
  void Add(const Tensor& tensor) {
    const size_t bytes = tensor.buffer.size();
    Reserve(kRawHeadBytesMax + (bytes < kSliceBytesMin ? bytes : 0));
    end_ = WriteRawHead(end_, bytes);
    if (bytes < kSliceBytesMin) {
      std::memcpy(end_, tensor.buffer.data(), bytes);
      end_ += bytes;
    } else {
      Flush();
      slices_.push_back(Borrow(tensor));
    }
  }
  grpc::ByteBuffer Take() {
    Flush();
    return grpc::ByteBuffer(slices_.data(), slices_.size());
  }

 private:
  void Reserve(size_t bytes) {
    if (static_cast<size_t>(block_.data() + block_.size() - end_) >= bytes) return;
    const auto used = static_cast<size_t>(end_ - block_.data());
    block_.resize(std::max(used + bytes, 2 * block_.size()));
    end_ = block_.data() + used;
  }
  void Flush() {
    if (end_ != block_.data()) slices_.emplace_back(block_.data(), static_cast<size_t>(end_ - block_.data()));
    end_ = block_.data();
  }

  std::vector<uint8_t> block_ = std::vector<uint8_t>(512);
  uint8_t* end_ = block_.data();
  std::vector<grpc::Slice> slices_;
};

constexpr const char* kWantsFinalResponse = "triton_enable_empty_final_response";
constexpr const char* kIsFinalResponse = "triton_final_response";

// `is_final`: what it says of itself, if anything.
grpc::ByteBuffer EncodeAnswer(const std::string& id, const serving::InferResponse& response,
                              const std::vector<SharedPlace>& placed,
                              std::optional<bool> is_final = std::nullopt) {
  inference::ModelInferResponse head;
  if (is_final) (*head.mutable_parameters())[kIsFinalResponse].set_bool_param(*is_final);
  head.set_model_name(response.model);
  head.set_model_version(std::to_string(response.version));
  head.set_id(id);
  DescribeOutputs(response.outputs, placed, head);
  AnswerWriter writer(head);
  for (const Tensor& output : response.outputs) writer.Add(output);
  return writer.Take();
}

int64_t WholeParameter(const inference::ModelInferRequest& message, const char* name) {
  if (message.parameters().empty()) return 0;
  auto found = message.parameters().find(name);
  if (found == message.parameters().end()) return 0;
  const auto& value = found->second;
  return value.parameter_choice_case() == inference::InferParameter::kUint64Param
             ? static_cast<int64_t>(std::min<uint64_t>(value.uint64_param(), INT64_MAX))
             : value.int64_param();
}

// A request's message, and what it asks for besides tensors in it. The latter is only made where it is
// needed.
struct OipRequest {
  std::shared_ptr<inference::ModelInferRequest> message = NewRequest();
  std::shared_ptr<InferExtras> extras;  // null: nothing
  std::shared_ptr<RequestTrace> trace;  // null: it is not traced
};

// `request` has the call's deadline, arrival and flag.
Status Translate(const Core& core, OipRequest& oip, serving::InferRequest& request) {
  const auto& message = oip.message;
  request.model = message->model_name();
  request.version = message->model_version();
  request.deadline = WithTimeout(request.deadline, request.arrival, WholeParameter(*message, "timeout"));
  request.priority = PriorityOf(WholeParameter(*message, "priority"));
  SNUG_ASSIGN_OR_RETURN(request.sequence, OipSequence(*message));
  InferExtras extras;
  SNUG_ASSIGN_OR_RETURN(request.inputs, OipInputs(message, extras));
  SNUG_ASSIGN_OR_RETURN(request.outputs, OipOutputs(*message, extras));
  if (!extras.inputs.empty())
    SNUG_RETURN_IF_ERROR(ReadSharedInputs(core.shared_memory, extras, request.inputs));
  if (!extras.outputs.empty()) oip.extras = std::make_shared<InferExtras>(std::move(extras));
  return {};
}

// Classes and shared memory are made before the answer's bytes.
Result<grpc::ByteBuffer> Encode(const Core& core, const OipRequest& oip,
                                Result<serving::InferResponse> result, std::optional<bool> is_final) {
  if (!result.ok()) return result.status();
  std::vector<SharedPlace> placed;
  if (oip.extras && !result->is_end) {
    SNUG_ASSIGN_OR_RETURN(placed, FinishOutputs(core, *oip.extras, *result));
  }
  return EncodeAnswer(oip.message->id(), *result, placed, is_final);
}

Result<grpc::ByteBuffer> Finish(const Core& core, const OipRequest& oip,
                                Result<serving::InferResponse> result,
                                std::optional<bool> is_final = std::nullopt) {
  auto answer = Encode(core, oip, std::move(result), is_final);
  if (oip.trace) oip.trace->End(answer.status(), SystemClock().Now());
  return answer;
}

// ModelStreamInferResponse.infer_response around an answer's bytes.
grpc::ByteBuffer StreamAnswer(const grpc::ByteBuffer& answer) {
  constexpr uint8_t kInferResponseTag = (2 << 3) | 2;
  uint8_t head[kRawHeadBytesMax];
  uint8_t* end = WriteRawHead(head, answer.Length());
  head[0] = kInferResponseTag;
  std::vector<grpc::Slice> body, slices;
  if (!answer.Dump(&body).ok()) body.clear();
  slices.emplace_back(head, static_cast<size_t>(end - head));
  slices.insert(slices.end(), body.begin(), body.end());
  return grpc::ByteBuffer(slices.data(), slices.size());
}

grpc::ByteBuffer StreamError(const inference::ModelInferRequest& request, const Status& status) {
  inference::ModelStreamInferResponse response;
  response.set_error_message(status.text());
  auto* answer = response.mutable_infer_response();
  answer->set_id(request.id());
  answer->set_model_name(request.model_name());
  answer->set_model_version(request.model_version());
  return SerializeMessage(response);
}

bool WantsFinal(const inference::ModelInferRequest& message) {
  auto found = message.parameters().find(kWantsFinalResponse);
  return found != message.parameters().end() && found->second.bool_param();
}

// A decoupled model's answers, on their way into a stream.
class PartTaker : public serving::AnswerTaker {
 public:
  PartTaker(const Core& core, OipRequest oip, std::shared_ptr<StreamedAnswers> answers)
      : core_(core), oip_(std::move(oip)), answers_(std::move(answers)) {}
  void Begin() override { answers_->AnyNumber(); }
  bool Take(serving::InferResponse answer) override {
    auto encoded = Encode(core_, oip_, std::move(answer), false);
    return answers_->Part(encoded.ok() ? StreamAnswer(*std::move(encoded))
                                       : StreamError(*oip_.message, encoded.status()));
  }

 private:
  const Core& core_;
  const OipRequest oip_;
  const std::shared_ptr<StreamedAnswers> answers_;
};

grpc::ByteBuffer EncodePrediction(serving::PredictResponse response) {
  snug::v1::PredictResponse message;
  message.set_model(std::move(response.model));
  message.set_version(std::to_string(response.version));
  message.set_content_type(std::move(response.content_type));
  message.set_payload(std::move(response.payload));
  return SerializeMessage(message);
}

}  // namespace

void GrpcModelInfer(Core& core, GrpcCall& call) {
  OipRequest oip;
  Status status = ParseMessage(call.request(), oip.message.get());
  serving::InferRequest request;
  request.arrival = call.arrival();
  request.deadline = call.deadline();
  request.cancelled = call.cancelled();
  request.trace = TraceParentOf(call.Metadata("traceparent"));
  if (status.ok()) status = Translate(core, oip, request);
  if (!status.ok()) return call.Fail(status);
  oip.trace = core.tracer->Begin(request, oip.message->id(), "grpc", call.Metadata("traceparent"));
  core.models.Infer(std::move(request),
                    [&core, &call, oip = std::move(oip)](Result<serving::InferResponse> result) {
                      auto answer = Finish(core, oip, std::move(result));
                      if (!answer.ok()) return call.Fail(answer.status());
                      call.Finish(*answer);
                    });
}

void GrpcStreamedInfer(Core& core, grpc::ByteBuffer& bytes, serving::RequestHead head,
                       const std::shared_ptr<StreamedAnswers>& answers) {
  OipRequest oip;
  serving::InferRequest request;
  static_cast<serving::RequestHead&>(request) = std::move(head);
  Status status = ParseMessage(bytes, oip.message.get());
  if (status.ok()) status = Translate(core, oip, request);
  if (!status.ok()) return answers->End(StreamError(*oip.message, status));
  oip.trace = core.tracer->Begin(request, oip.message->id(), "grpc", request.trace);
  request.answers = std::make_shared<PartTaker>(core, oip, answers);
  core.models.Infer(
      std::move(request), [&core, oip = std::move(oip), answers](Result<serving::InferResponse> result) {
        const bool says_final = WantsFinal(*oip.message);
        const bool is_silent = result.ok() && result->is_end && !says_final;
        auto finished = Finish(core, oip, std::move(result), says_final ? std::optional(true) : std::nullopt);
        if (!finished.ok()) return answers->End(StreamError(*oip.message, finished.status()));
        answers->End(is_silent ? std::nullopt : std::optional(StreamAnswer(*std::move(finished))));
      });
}

void GrpcPredict(Core& core, GrpcCall& call) {
  auto message = std::make_shared<snug::v1::PredictRequest>();
  Status status = ParseMessage(call.request(), message.get());
  if (!status.ok()) return call.Fail(status);
  serving::PredictRequest request;
  request.model = message->model();
  request.version = message->version();
  request.arrival = call.arrival();
  request.deadline = call.deadline();
  request.cancelled = call.cancelled();
  request.trace = TraceParentOf(call.Metadata("traceparent"));
  request.content_type = message->content_type();
  request.payload = message->payload();
  for (const auto& [key, value] : message->parameters()) request.parameters.emplace(key, value);
  request.payload_owner = std::move(message);
  auto trace = core.tracer->Begin(request, "", "grpc", call.Metadata("traceparent"));
  core.models.Predict(std::move(request), [&call, trace](Result<serving::PredictResponse> result) {
    if (trace) trace->End(result.status(), SystemClock().Now());
    if (!result.ok()) return call.Fail(result.status());
    call.Finish(EncodePrediction(*std::move(result)));
  });
}

}  // namespace snug::server
