// Reads the signatures out of a SavedModel's MetaGraphDef: just the few fields needed of protobuf's wire
// format, so that the plug-in needs no protobuf library beside TensorFlow's own. Pure; trusts no byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace snug::tensorflow {

struct TensorInfo {
  std::string tensor;  // "serving_default_x:0"; empty for sparse and composite tensors
  int dtype = 0;       // TensorFlow's number
  bool rank_known = true;
  std::vector<int64_t> dims;  // -1: free
};

struct Signature {
  std::map<std::string, TensorInfo> inputs;  // by the name that callers use
  std::map<std::string, TensorInfo> outputs;
  std::string method;  // "tensorflow/serving/predict"
};

// tensorflow.MetaGraphDef, serialised. Throws kit::Failure(DATA_LOSS) when it is cut off or malformed.
std::map<std::string, Signature> ReadSignatures(std::string_view meta_graph);

}  // namespace snug::tensorflow
