// The model repository extension: index, load, unload.
#include <grpc_service.pb.h>

#include <utility>

#include "server/grpc_unary.h"
#include "server/repository_call.h"

namespace snug::server {
namespace {

Status RepositoryIndex(Core& core, const inference::RepositoryIndexRequest& request,
                       inference::RepositoryIndexResponse& response) {
  for (const auto& status : RepositoryIndex(core, request.ready())) {
    auto* model = response.add_models();
    model->set_name(status.name);
    if (status.version > 0) model->set_version(std::to_string(status.version));
    model->set_state(std::string(serving::StateName(status.state)));
    model->set_reason(status.reason);
  }
  return {};
}

template <typename Request>
Result<RepositoryCall> CallOf(Request& request) {
  RepositoryCall call;
  for (auto& [key, value] : *request.mutable_parameters()) {
    if (key == "version") {
      call.version = value.has_int64_param() ? std::to_string(value.int64_param()) : value.string_param();
    } else if (key == "wait") {
      call.wait = value.bool_param();
    } else if (key == "config") {
      call.config = value.string_param();
    } else if (key.starts_with(kFileParameter)) {
      call.files[key.substr(kFileParameter.size())] = std::move(*value.mutable_bytes_param());
    } else if (key != "unload_dependents") {  // there are none
      return InvalidArgument("{}", UnknownRepositoryParameter(key));
    }
  }
  return call;
}

// Triton answers INTERNAL where the files of a load are refused, and its clients look for that.
Status AsTritonSays(const Status& status, bool has_files) {
  if (!has_files || status.code() != Code::kInvalidArgument) return status;
  return Status(Code::kInternal, status.text());
}

template <typename Request, typename Response,
          void (*Change)(serving::ModelManager&, const std::string&, RepositoryCall,
                         serving::ModelManager::Done)>
void ChangeModel(Core& core, GrpcCall& grpc) {
  Request request;
  Status status = CheckControl(core);
  if (status.ok()) status = ParseMessage(grpc.request(), &request);
  if (!status.ok()) return grpc.Fail(status);
  auto call = CallOf(request);
  if (!call.ok()) return grpc.Fail(call.status());
  const bool has_files = !call->files.empty();
  Change(core.models, request.model_name(), *std::move(call), [&grpc, has_files](const Status& outcome) {
    if (!outcome.ok()) return grpc.Fail(AsTritonSays(outcome, has_files));
    grpc.Finish(SerializeMessage(Response()));
  });
}

constexpr GrpcMethod kMethods[] = {
    SNUG_UNARY(RepositoryIndex),
    {"/inference.GRPCInferenceService/RepositoryModelLoad",
     ChangeModel<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse, LoadModel>,
     kUnarySlots},
    {"/inference.GRPCInferenceService/RepositoryModelUnload",
     ChangeModel<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse,
                 UnloadModel>,
     kUnarySlots},
};

}  // namespace

std::span<const GrpcMethod> OipRepositoryMethods() {
  return kMethods;
}

}  // namespace snug::server
