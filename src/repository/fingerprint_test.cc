#include "repository/fingerprint.h"

#include <gtest/gtest.h>

#include "repository/test_dir.h"

namespace snug::repository {
namespace {

TEST(Fingerprint, ChangesWithTheFilesAndNotWithWhatLoadingWrites) {
  TestDir dir;
  dir.Write("1/a/weights.bin", "12");
  dir.Write("1/model.xml", "x");
  const Fingerprint first = *TakeFingerprint(dir / "1");
  EXPECT_EQ(*TakeFingerprint(dir / "1"), first);
  EXPECT_GT(first.newest_change, 1e9);
  dir.Write("1/__pycache__/model.pyc");
  dir.Write("1/.cache/x");
  EXPECT_EQ(*TakeFingerprint(dir / "1"), first);
  dir.Write("1/a/weights.bin", "123");
  const Fingerprint longer = *TakeFingerprint(dir / "1");
  EXPECT_NE(longer.digest, first.digest);
  dir.Write("1/more", "");
  EXPECT_NE(TakeFingerprint(dir / "1")->digest, longer.digest);
}

TEST(Fingerprint, ALinkIsWhatItLeadsTo) {
  TestDir dir;
  dir.Write("elsewhere/model.xml");
  dir.Write("other/model.xml");
  dir.Link("elsewhere", "1");
  const Fingerprint before = *TakeFingerprint(dir / "1");
  std::filesystem::remove(dir / "1");
  dir.Link("other", "1");
  EXPECT_NE(TakeFingerprint(dir / "1")->digest, before.digest);
  EXPECT_EQ(TakeFingerprint(dir / "none").status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace snug::repository
