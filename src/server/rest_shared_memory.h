// The shared memory extensions over REST. Each answers with a JSON document; `region` is empty for all.
#pragma once

#include <string>

#include "server/core.h"

namespace snug::server {

Result<std::string> SystemSharedMemoryStatus(Core& core, const std::string& region, const std::string& body);
Result<std::string> SystemSharedMemoryRegister(Core& core, const std::string& region,
                                               const std::string& body);
Result<std::string> SystemSharedMemoryUnregister(Core& core, const std::string& region,
                                                 const std::string& body);
// {"key":"/x","offset":0,"byte_size":64}
Status RegisterFromJson(SharedRegions& regions, const std::string& region, const std::string& body);

// There is none: nothing can be registered, so there is nothing to list, and unregistering it all is no
// error.
Result<std::string> CudaSharedMemoryStatus(Core& core, const std::string& region, const std::string& body);
Result<std::string> CudaSharedMemoryRegister(Core& core, const std::string& region, const std::string& body);
Result<std::string> CudaSharedMemoryUnregister(Core& core, const std::string& region,
                                               const std::string& body);

}  // namespace snug::server
