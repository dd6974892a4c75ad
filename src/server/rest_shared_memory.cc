#include "server/rest_shared_memory.h"

#include "server/json_reader.h"
#include "server/json_writer.h"

namespace snug::server {
namespace {

void ReadSize(JsonReader& json, const std::string& key, uint64_t& size) {
  int64_t value = 0;
  if (!json.Int(value)) return;
  if (value < 0) json.Fail("\"" + key + "\" must not be negative");
  size = static_cast<uint64_t>(value);
}

}  // namespace

Status RegisterFromJson(SharedRegions& regions, const std::string& name, const std::string& body) {
  SharedRegion region;
  region.name = name;
  JsonReader json(body);
  std::string key;
  for (json.BeginObject(); json.Key(key);) {
    if (key == "key") {
      json.String(region.key);
    } else if (key == "offset") {
      ReadSize(json, key, region.offset);
    } else if (key == "byte_size") {
      ReadSize(json, key, region.bytes);
    } else {
      json.Skip();
    }
  }
  SNUG_RETURN_IF_ERROR(json.Finish());
  return regions.Register(region);
}

Result<std::string> SystemSharedMemoryStatus(Core& core, const std::string& region, const std::string&) {
  SNUG_ASSIGN_OR_RETURN(const std::vector<SharedRegion> regions, core.shared_memory.List(region));
  JsonWriter json;
  json.BeginArray();
  for (const SharedRegion& one : regions) {
    json.BeginObject().Key("name").Value(one.name).Key("key").Value(one.key);
    json.Key("offset").Value(one.offset).Key("byte_size").Value(one.bytes).EndObject();
  }
  json.EndArray();
  return json.Take();
}

Result<std::string> SystemSharedMemoryRegister(Core& core, const std::string& region,
                                               const std::string& body) {
  SNUG_RETURN_IF_ERROR(RegisterFromJson(core.shared_memory, region, body));
  return std::string("{}");
}

Result<std::string> SystemSharedMemoryUnregister(Core& core, const std::string& region, const std::string&) {
  core.shared_memory.Unregister(region);
  return std::string("{}");
}

Result<std::string> CudaSharedMemoryStatus(Core&, const std::string& region, const std::string&) {
  if (region.empty()) return std::string("[]");
  return NotFound("Unable to find CUDA shared memory region: '{}'", region);
}

Result<std::string> CudaSharedMemoryRegister(Core&, const std::string& region, const std::string&) {
  return CudaUnsupported(region);
}

Result<std::string> CudaSharedMemoryUnregister(Core&, const std::string&, const std::string&) {
  return std::string("{}");
}

}  // namespace snug::server
