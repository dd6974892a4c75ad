// Packs what somebody wants to deploy into a tar file, as the controller takes it: regular files only, at the
// top.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace snug::cli {

// A tar in the temporary directory; deleted with the object.
class ModelArchive {
 public:
  // `path` as repository::DetectLayout takes it. Of a NAME/VERSION layout the version `wanted` is packed, or
  // the highest. Links are followed; hidden files are left out. With engine "auto" it must be a model that
  // some engine knows. NOT_FOUND: no such path or version; INVALID_ARGUMENT: not a model; RESOURCE_EXHAUSTED:
  // too large (limits.h).
  static Result<ModelArchive> Pack(const std::string& path, const std::string& engine,
                                   std::optional<int64_t> wanted);

  ModelArchive(ModelArchive&& other) noexcept;
  ModelArchive& operator=(ModelArchive&&) = delete;
  ~ModelArchive();

  const std::string& file() const { return file_; }
  const std::string& kind() const { return kind_; }            // "a TensorFlow SavedModel"
  std::optional<int64_t> version() const { return version_; }  // of a NAME/VERSION layout
  int files() const { return files_; }
  uint64_t bytes() const { return bytes_; }

 private:
  friend class ArchiveWriter;
  ModelArchive() = default;

  std::string file_;
  std::string kind_;
  std::optional<int64_t> version_;
  int files_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace snug::cli
