// The files of deployed versions: DIR/store/<model>/<version>/, written once and never changed. What stands
// there is whole: it was unpacked under another name, synced, and renamed.
//
// Thread-safe as long as Put and Remove are not called for the same version at the same time (the controller
// holds a lock over both).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "base/status.h"

namespace snug::controller {

struct UploadLimits {
  uint64_t bytes_max = uint64_t{8} << 30;  // unpacked
  int files_max = 10000;
  int depth_max = 16;
};

// What an uploaded tar held, unpacked into a directory of its own under DIR/store/.incoming.
struct Upload {
  std::string directory;   // the model's files
  std::string root;        // to remove when it is not kept; holds `directory`
  std::string model_yaml;  // the text of model.yaml, taken out of the directory; empty without one
  std::string digest;      // "sha256:…" over names and contents
  uint64_t bytes = 0;
  int files = 0;
};

class Store {
 public:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  const std::string& directory() const { return directory_; }

  // Unpacks a tar (plain or gzip). INVALID_ARGUMENT: not a tar, an entry that is no plain file or directory
  // or whose path leaves the directory, no files; RESOURCE_EXHAUSTED: over a limit.
  Result<Upload> Unpack(const std::string& tar_file, const UploadLimits& limits);
  // Gives up an upload.
  void Discard(const Upload& upload);

  // Moves the upload to its place; durable when it returns.
  Status Put(const Upload& upload, const std::string& model, int64_t version);
  Status Remove(const std::string& model, int64_t version);

  // At the start: deletes what a crash left (uploads, half removed versions, versions without a row).
  Status Sweep(const std::set<std::pair<std::string, int64_t>>& known);

 private:
  std::string directory_;
};

}  // namespace snug::controller
