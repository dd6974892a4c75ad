// Finds the model in a directory by its files' names.
#pragma once

#include <string>

namespace snug::openvino {

enum class Format { kNone, kIr, kOnnx, kSavedModel };

struct ModelFiles {
  Format format = Format::kNone;
  std::string path;     // what OpenVINO reads: the .xml, the .onnx, or the SavedModel's directory
  std::string problem;  // for people, when there is no model or more than one
};

// NAME.xml with NAME.bin, else NAME.onnx, else saved_model.pb. Of several of a kind, "model.xml" or
// "model.onnx" wins; without one of that name the choice is left to the owner.
ModelFiles FindModel(const std::string& directory);

}  // namespace snug::openvino
