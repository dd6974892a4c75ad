// What the tests of this room share: a host over the built and the faulty plug-ins, and models for them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace snug::engine {

inline HostOptions TestHostOptions() {
  return {.plugin_dirs = {SNUG_TEST_PLUGIN_DIR, SNUG_TEST_PLUGIN_DIR "/test"},
          .engine_program = SNUG_TEST_BIN_DIR "/snug-engine",
          .threads = 2,
          .output_bytes_max = 64 << 20};
}

// A directory that the echo engine (and the faulty ones) load. Removed with this.
class EchoModel {
 public:
  explicit EchoModel(const std::string& line) {
    std::string pattern = testing::TempDir() + "/echo.XXXXXX";
    path_ = mkdtemp(pattern.data());
    std::ofstream(path_ + "/echo.txt") << line;
  }
  ~EchoModel() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Sends `rows` x 4 floats through an echo model's instance and expects them back.
inline void ExpectEcho(Instance& instance, int64_t rows) {
  std::vector<float> x(static_cast<size_t>(rows) * 4);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) + 0.5f;
  TensorView view{"x", DType::kFp32, {rows, 4}, x.data(), x.size() * sizeof(float)};
  auto outputs = instance.Execute({&view, 1}, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  ASSERT_EQ(outputs->size(), 1u);
  const Tensor& y = outputs->at(0);
  EXPECT_EQ(y.name, "y");
  EXPECT_EQ(y.shape, (Shape{rows, 4}));
  ASSERT_EQ(y.buffer.size(), view.bytes);
  EXPECT_EQ(std::memcmp(y.buffer.data(), x.data(), view.bytes), 0);
}

}  // namespace snug::engine
