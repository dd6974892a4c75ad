// What lies in a directory that somebody wants to deploy: `snug deploy ./my_model_dir` must do for a
// stranger's SavedModel or ONNX file as well as for a model laid out as in a repository.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace snug::repository {

enum class LayoutKind {
  kVersions,    // DIR/VERSION/…, as models/NAME in a repository
  kSavedModel,  // DIR/saved_model.pb (TensorFlow)
  kOnnx,        // one .onnx file
  kOpenVino,    // one .xml with its .bin
  kOther,       // files that are none of these: only an engine named by the user may know them
};

// "a TensorFlow SavedModel", for people.
std::string LayoutName(LayoutKind kind);

struct Layout {
  LayoutKind kind = LayoutKind::kOther;
  std::string directory;                    // absolute
  std::map<int64_t, std::string> versions;  // kVersions: version -> absolute directory
  // Names in `directory` that make up the model; empty: everything in it. Set when a file was given, so that
  // what lies beside it is left alone.
  std::vector<std::string> files;
  std::string model_yaml;  // absolute path of DIR/model.yaml, empty when there is none
  std::string problem;     // kOther: why it was not recognised, what was expected, what is there
};

// `path` is a directory, or an .onnx or .xml file. NOT_FOUND: no such path. INVALID_ARGUMENT: it cannot be
// one model (empty, several models, an .xml without its .bin); the text says what to do instead.
Result<Layout> DetectLayout(const std::string& path);

}  // namespace snug::repository
