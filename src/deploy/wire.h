// The JSON that the local deployer reads and writes: its process records, a server's ready file and its model
// index. All of it may come damaged; every parser says what is wrong and never trusts a number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "os/process.h"

namespace snug::deploy {

// DIR/run/<id>.json: who runs under our name. pid 0: about to be started.
struct ProcessRecord {
  os::ProcessId process;
  std::string fingerprint;  // of the command and its configuration
};

std::string RecordText(const ProcessRecord& record);
Result<ProcessRecord> ParseRecord(std::string_view text);

struct ReadyFile {
  int64_t pid = 0;
  uint16_t grpc_port = 0;
  uint16_t rest_port = 0;
};
Result<ReadyFile> ParseReadyFile(std::string_view text);

enum class IndexState { kLoading, kReady, kUnavailable, kUnloading };

struct IndexEntry {
  std::string name;
  int64_t version = 0;
  IndexState state = IndexState::kUnavailable;
  std::string reason;
  uint64_t memory_bytes = 0;
  std::string description;
};
// The answer of POST /v2/repository/index.
Result<std::vector<IndexEntry>> ParseIndex(std::string_view text);

// The body of …/load and …/unload, answered before the work is done.
std::string VersionBody(int64_t version);
// The text of {"error": …}, or the body itself, shortened.
std::string ErrorText(std::string_view body);

}  // namespace snug::deploy
