// tensorflow.TensorProto to a tensor and back. Pure; trusts no byte.
#pragma once

#include <tensorflow/core/framework/tensor.pb.h>

#include <memory>
#include <string>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::server {

// A TensorProto may hold fewer values than its shape has elements: the last one then stands for the rest. So
// many bytes may become of a few.
constexpr uint64_t kFilledBytesMax = uint64_t{64} << 20;

// tensor_content or the typed field of the dtype (half_val for DT_HALF and DT_BFLOAT16). Numbers of
// tensor_content are not copied: `owner` keeps `proto`. INVALID_ARGUMENT names the tensor, what was expected
// and what came.
Result<Tensor> TensorFromProto(const std::string& name, const tensorflow::TensorProto& proto,
                               std::shared_ptr<void> owner);

// Writes typed fields, as TensorFlow Serving does: its clients read float_val and its like.
void TensorToProto(const Tensor& tensor, tensorflow::TensorProto* proto);

}  // namespace snug::server
