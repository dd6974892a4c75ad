// The bounds of a model repository, in one place. docs/model-repository.md repeats them for people.
#pragma once

#include <cstddef>
#include <cstdint>

namespace snug::repository {

inline constexpr size_t kModelNameCharsMax = 128;
inline constexpr size_t kLabelCharsMax = 64;
inline constexpr size_t kPluginNameCharsMax = 64;
inline constexpr size_t kLabelsMax = 64;                  // of one model
inline constexpr size_t kVersionsMax = 1000;              // of one model
inline constexpr size_t kModelsMax = 10000;               // of one repository
inline constexpr int64_t kVersionMax = int64_t{1} << 53;  // exact in JSON readers that know only doubles
inline constexpr uint64_t kModelYamlBytesMax = uint64_t{64} << 10;
inline constexpr int kOptionDepthMax = 32;    // nesting of engine_options and parser_options
inline constexpr int kOptionNodesMax = 4096;  // values in them, aliases expanded

// A version that holds a file of this name is still being written: it is not there yet.
inline constexpr const char* kIncompleteMarker = ".incomplete";

inline constexpr size_t kInlineFilesMax = 256;  // sent with one load call
inline constexpr size_t kInlineDepthMax = 8;    // of their paths

inline constexpr int kThreadsMax = 256;
inline constexpr int kInstancesMax = 64;
inline constexpr int kComputeWeightMax = 100;
inline constexpr int kQueueLimitMax = 65536;
inline constexpr int kBatchRowsMax = 4096;
inline constexpr size_t kBatchSizesMax = 32;
inline constexpr int kBatchDelayUsMax = 1000000;
inline constexpr size_t kPrioritiesMax = 16;
inline constexpr size_t kPaddedLengthsMax = 4;  // of one model
inline constexpr size_t kPaddingBucketsMax = 32;
inline constexpr int kPaddedLengthMax = 1 << 24;
inline constexpr int kPaddedDimMax = 15;
inline constexpr size_t kPaddedTensorsMax = 64;  // of one length, each way
inline constexpr double kPaddingValueMax = 1e9;  // or the other way from zero
inline constexpr int kPriorityTimeoutMsMax = 3600000;
inline constexpr int kWarmupRoundsMax = 100;
inline constexpr int kPayloadLogMibMax = 1 << 20;
inline constexpr double kRequestsPerSecondMin = 0.001;
inline constexpr double kRequestsPerSecondMax = 1e6;
inline constexpr int kBurstMax = 1'000'000;
inline constexpr int kConcurrentMax = 1'000'000;
inline constexpr int kCacheMibMax = 65536;
inline constexpr int kCacheEntriesMax = 10'000'000;
inline constexpr int kCacheTtlSecondsMax = 30 * 24 * 3600;
inline constexpr int kSequencesMax = 65536;  // of one model, with a place or waiting
inline constexpr int kSequenceIdleMsMax = 24 * 3600 * 1000;
inline constexpr int kControlValueMax = 1000000;  // what an input may be told for true or false
inline constexpr size_t kStatesMax = 64;
inline constexpr size_t kStateRankMax = 16;
inline constexpr int kStateDimMax = 1 << 24;
inline constexpr size_t kTensorNameBytesMax = 512;
inline constexpr uint64_t kClassFileBytesMax = uint64_t{16} << 20;  // of class_labels
inline constexpr size_t kClassFilesMax = 64;                        // of one model
inline constexpr size_t kPipelineStepsMax = 64;
inline constexpr size_t kPipelineTensorsMax = 64;    // of a step or of the pipeline, each way
inline constexpr int kPipelineItemsMax = 4096;       // executions that a step may make of one request
inline constexpr int kPipelineInstancesDefault = 8;  // requests under way: they mostly wait
inline constexpr int kExecutionTimeoutSecondsMax = 24 * 3600;
inline constexpr int kStandbyAfterSecondsMax = 7 * 24 * 3600;

}  // namespace snug::repository
