#include "repository/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/test_dir.h"

namespace snug::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(Layout, RecognisesWhatPeopleDeploy) {
  TestDir dir;
  dir.Write("versions/1/model.onnx");
  dir.Write("versions/002/saved_model.pb");
  dir.Write("versions/model.yaml");
  dir.Write("tf/saved_model.pb");
  dir.Write("tf/variables/variables.index");
  dir.Write("onnx/net.onnx");
  dir.Write("onnx/labels.txt");
  dir.Write("ov/net.xml");
  dir.Write("ov/net.bin");
  dir.Write("other/weights.pt");

  auto versions = DetectLayout(dir / "versions");
  ASSERT_TRUE(versions.ok()) << versions.status().ToString();
  EXPECT_EQ(versions->kind, LayoutKind::kVersions);
  EXPECT_THAT(versions->versions, ElementsAre(Pair(1, dir / "versions/1"), Pair(2, dir / "versions/002")));
  EXPECT_EQ(versions->model_yaml, dir / "versions/model.yaml");

  EXPECT_EQ(DetectLayout(dir / "tf")->kind, LayoutKind::kSavedModel);
  EXPECT_EQ(DetectLayout(dir / "tf/")->directory, dir / "tf");
  EXPECT_EQ(DetectLayout(dir / "onnx")->kind, LayoutKind::kOnnx);
  EXPECT_TRUE(DetectLayout(dir / "onnx")->files.empty());
  EXPECT_EQ(DetectLayout(dir / "ov")->kind, LayoutKind::kOpenVino);
  EXPECT_EQ(DetectLayout(dir / "other")->kind, LayoutKind::kOther);
  EXPECT_THAT(DetectLayout(dir / "other")->problem, HasSubstr("found weights.pt"));
}

TEST(Layout, TakesOnlyTheFilesOfAModelThatIsNamedByItsFile) {
  TestDir dir;
  dir.Write("a.onnx");
  dir.Write("a.onnx.data");
  dir.Write("b.onnx");
  dir.Write("net.xml");
  dir.Write("net.bin");
  auto onnx = DetectLayout(dir / "a.onnx");
  ASSERT_TRUE(onnx.ok());
  EXPECT_EQ(onnx->directory, dir.path());
  EXPECT_THAT(onnx->files, ElementsAre("a.onnx", "a.onnx.data"));
  EXPECT_THAT(DetectLayout(dir / "net.xml")->files, ElementsAre("net.xml", "net.bin"));
}

TEST(Layout, SaysWhatToDoInstead) {
  TestDir dir;
  dir.MakeDir("empty");
  dir.Write("two/a.onnx");
  dir.Write("two/b.onnx");
  dir.Write("ir/net.xml");
  dir.Write("repository/ocr/1/model.onnx");
  dir.Write("twice/1/x");
  dir.Write("twice/01/x");
  dir.Write("tf/saved_model.pb");
  dir.Write("notes.txt");
  auto text = [&](const char* name) { return DetectLayout(dir / name).status().text(); };
  EXPECT_EQ(DetectLayout(dir / "nowhere").status().code(), Code::kNotFound);
  EXPECT_THAT(text("empty"), HasSubstr("is empty: expected a model"));
  EXPECT_THAT(text("two"), HasSubstr("holds 2 .onnx files (a.onnx, b.onnx)"));
  EXPECT_THAT(text("ir"), HasSubstr("net.xml has no weights: expected"));
  EXPECT_THAT(text("ir/net.xml"), HasSubstr("has no weights"));
  EXPECT_THAT(text("repository"), HasSubstr("deploy one of them, as " + (dir / "repository/ocr")));
  EXPECT_THAT(text("twice"), HasSubstr("are both version 1"));
  EXPECT_THAT(text("tf/saved_model.pb"), HasSubstr("deploy its directory, " + (dir / "tf")));
  EXPECT_THAT(text("notes.txt"), HasSubstr("expected an .onnx file"));
}

}  // namespace
}  // namespace snug::repository
