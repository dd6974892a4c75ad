#include "engines/openvino/code_pages.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <openvino/openvino.hpp>
#include <string>

namespace snug::openvino {
namespace {

// What is in memory of the executable parts of OpenVINO's libraries, KiB.
long CodeInMemory() {
  std::ifstream maps("/proc/self/smaps");
  long total = 0, rss = 0;
  bool is_code = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" r-xp ") != std::string::npos)
      is_code = line.find("/libopenvino") != std::string::npos;
    else if (line.find("VmFlags:") == 0)
      is_code = false;
    else if (is_code && std::sscanf(line.c_str(), "Rss: %ld", &rss) == 1)
      total += rss;
  }
  return total;
}

TEST(CodePages, AreForgottenAndComeBackAsTheyWere) {
  ov::Core core;
  const auto devices = core.get_available_devices();
  const long before = CodeInMemory();
  ASSERT_GT(before, 0);
  EXPECT_GT(ForgetCode(), uint64_t(before) * 1024);
  EXPECT_LT(CodeInMemory(), before / 2);
  EXPECT_EQ(core.get_available_devices(), devices);
  EXPECT_THROW(core.read_model("/nowhere/model.xml"), ov::Exception);
}

}  // namespace
}  // namespace snug::openvino
