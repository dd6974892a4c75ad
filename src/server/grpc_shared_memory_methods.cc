// The shared memory extensions over gRPC.
#include <grpc_service.pb.h>

#include "server/grpc_unary.h"

namespace snug::server {
namespace {

Status SystemSharedMemoryStatus(Core& core, const inference::SystemSharedMemoryStatusRequest& request,
                                inference::SystemSharedMemoryStatusResponse& response) {
  SNUG_ASSIGN_OR_RETURN(const std::vector<SharedRegion> regions, core.shared_memory.List(request.name()));
  for (const SharedRegion& region : regions) {
    auto& status = (*response.mutable_regions())[region.name];
    status.set_name(region.name);
    status.set_key(region.key);
    status.set_offset(region.offset);
    status.set_byte_size(region.bytes);
  }
  return {};
}

Status SystemSharedMemoryRegister(Core& core, const inference::SystemSharedMemoryRegisterRequest& request,
                                  inference::SystemSharedMemoryRegisterResponse&) {
  return core.shared_memory.Register({request.name(), request.key(), request.offset(), request.byte_size()});
}

Status SystemSharedMemoryUnregister(Core& core, const inference::SystemSharedMemoryUnregisterRequest& request,
                                    inference::SystemSharedMemoryUnregisterResponse&) {
  core.shared_memory.Unregister(request.name());
  return {};
}

// There is none: nothing can be registered, so there is nothing to list, and unregistering it all is no
// error.
Status CudaSharedMemoryStatus(Core&, const inference::CudaSharedMemoryStatusRequest& request,
                              inference::CudaSharedMemoryStatusResponse&) {
  if (request.name().empty()) return {};
  return NotFound("Unable to find CUDA shared memory region: '{}'", request.name());
}

Status CudaSharedMemoryRegister(Core&, const inference::CudaSharedMemoryRegisterRequest& request,
                                inference::CudaSharedMemoryRegisterResponse&) {
  return CudaUnsupported(request.name());
}

Status CudaSharedMemoryUnregister(Core&, const inference::CudaSharedMemoryUnregisterRequest&,
                                  inference::CudaSharedMemoryUnregisterResponse&) {
  return {};
}

constexpr GrpcMethod kMethods[] = {
    SNUG_UNARY(SystemSharedMemoryStatus),     SNUG_UNARY(SystemSharedMemoryRegister),
    SNUG_UNARY(SystemSharedMemoryUnregister), SNUG_UNARY(CudaSharedMemoryStatus),
    SNUG_UNARY(CudaSharedMemoryRegister),     SNUG_UNARY(CudaSharedMemoryUnregister),
};

}  // namespace

std::span<const GrpcMethod> OipSharedMemoryMethods() {
  return kMethods;
}

}  // namespace snug::server
