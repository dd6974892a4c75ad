// The "data" arrays of KServe v2's JSON: the one part of it whose size grows with the tensor, so read and
// written by hand, number by number, straight from and into tensor memory.
#pragma once

#include <string>

#include "base/status.h"
#include "base/tensor.h"
#include "server/json_reader.h"
#include "server/json_writer.h"

namespace snug::server {

// Reads an array, flat or nested as `shape` says, that stands next in `json`.
Result<Buffer> ReadJsonTensor(JsonReader& json, const std::string& name, DType dtype, const Shape& shape);

// Writes a flat array.
Status WriteJsonTensor(JsonWriter& json, const Tensor& tensor);

}  // namespace snug::server
