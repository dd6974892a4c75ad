// The bounds of the command line program, in one place. docs/cli.md repeats those that people meet.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace snug::cli {

// What `snug up` takes for --memory-mib.
inline constexpr uint64_t kMemoryMibMax = uint64_t{1} << 30;

// What `snug deploy` packs.
inline constexpr uint64_t kArchiveBytesMax = uint64_t{4} << 30;
inline constexpr int kArchiveFilesMax = 10000;
inline constexpr int kArchiveDepthMax = 32;

// What `snug predict` reads and makes up.
inline constexpr uint64_t kPayloadBytesMax = uint64_t{256} << 20;
inline constexpr uint64_t kZeroElementsMax = uint64_t{4} << 20;
inline constexpr size_t kShownElementsMax = 8;  // of each output, without --json

// What `snug measure` sends at a time.
inline constexpr int kMeasureClientsMax = 1024;
inline constexpr uint64_t kMeasureRequestsMax = 100'000'000;

// A platform that is up may be restarting its controller: calls that may be repeated are, for this long.
inline constexpr auto kRetryLimit = std::chrono::seconds(15);
inline constexpr auto kRetryPause = std::chrono::milliseconds(250);
inline constexpr auto kPollPause = std::chrono::milliseconds(200);
// One long poll for a model to become ready.
inline constexpr auto kWaitSlice = std::chrono::seconds(5);

// The supervisor.
inline constexpr uint64_t kLogBytesMax = uint64_t{16} << 20;  // of a log when the platform starts; then .1
inline constexpr auto kStopLimit =
    std::chrono::seconds(60);  // for the controller to end servers and front door
inline constexpr auto kKillLimit = std::chrono::seconds(10);

}  // namespace snug::cli
