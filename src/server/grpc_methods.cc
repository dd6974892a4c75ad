// Health and the server's metadata, and the tables of all methods.
#include "server/grpc_methods.h"

#include <grpc_service.pb.h>

#include <initializer_list>
#include <vector>

#include "server/grpc_unary.h"

namespace snug::server {
namespace {

Status ServerLive(Core&, const inference::ServerLiveRequest&, inference::ServerLiveResponse& response) {
  response.set_live(true);
  return {};
}

Status ServerReady(Core& core, const inference::ServerReadyRequest&,
                   inference::ServerReadyResponse& response) {
  response.set_ready(core.Ready());
  return {};
}

Status ModelReady(Core& core, const inference::ModelReadyRequest& request,
                  inference::ModelReadyResponse& response) {
  response.set_ready(core.models.Ready(request.name(), request.version()).ok());
  return {};
}

Status ServerMetadata(Core& core, const inference::ServerMetadataRequest&,
                      inference::ServerMetadataResponse& response) {
  response.set_name(core.server_name);
  response.set_version(kServerVersion);
  for (const char* extension : kExtensions) response.add_extensions(extension);
  return {};
}

// Calls awaited at a time on each queue where the load is.
constexpr int kLoadSlots = 64;
constexpr GrpcMethod kMethods[] = {
    {"/inference.GRPCInferenceService/ModelInfer", GrpcModelInfer, kLoadSlots},
    {"/snug.v1.Prediction/Predict", GrpcPredict, kLoadSlots},
    SNUG_UNARY(ServerLive),
    SNUG_UNARY(ServerReady),
    SNUG_UNARY(ModelReady),
    SNUG_UNARY(ServerMetadata),
};

std::vector<GrpcMethod> JoinTables(std::initializer_list<std::span<const GrpcMethod>> tables) {
  std::vector<GrpcMethod> methods;
  for (auto table : tables) methods.insert(methods.end(), table.begin(), table.end());
  return methods;
}

}  // namespace

std::span<const GrpcMethod> OipGrpcMethods() {
  static const std::vector<GrpcMethod> all = JoinTables(
      {kMethods, OipModelMethods(), OipRepositoryMethods(), OipSharedMemoryMethods(), OipSettingsMethods()});
  return all;
}

std::span<const GrpcMethod> GrpcMethods() {
  static const std::vector<GrpcMethod> all = JoinTables({OipGrpcMethods(), TfsGrpcMethods()});
  return all;
}

}  // namespace snug::server
