#include "repository/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/test_dir.h"

namespace snug::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;

TEST(ModelName, FitsPathsUrlsAndMetrics) {
  for (const char* good : {"ocr", "a", "_x", "A.b-c_9", "0"}) EXPECT_TRUE(CheckModelName(good).ok()) << good;
  for (std::string bad : {"", ".", "..", ".x", "-x", "a/b", "a b", "a%2f", "ä", "a\nb"}) {
    EXPECT_EQ(CheckModelName(bad).code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(CheckModelName(std::string(128, 'a')).ok());
  EXPECT_FALSE(CheckModelName(std::string(129, 'a')).ok());
  EXPECT_FALSE(CheckModelName(std::string_view("a\0b", 3)).ok());
}

TEST(Version, IsAPositiveIntegerThatDoublesHold) {
  EXPECT_EQ(*ParseVersion("3"), 3);
  EXPECT_EQ(*ParseVersion("00000123"), 123);
  EXPECT_EQ(*ParseVersion("9007199254740992"), int64_t{1} << 53);
  for (const char* bad : {"", "0", "000", "-1", "+1", " 1", "1 ", "1.0", "0x1", "v1", "9007199254740993",
                          "99999999999999999999999"}) {
    EXPECT_EQ(ParseVersion(bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

TEST(ReadModel, FindsVersionsInOrderAndIgnoresTheRest) {
  TestDir dir;
  dir.MakeDir("ocr/10");
  dir.MakeDir("ocr/0002");
  dir.MakeDir("ocr/assets");
  dir.Write("ocr/7", "a file");
  dir.Write("ocr/README.md");
  auto model = ReadModel(dir.path(), "ocr");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->directory, dir / "ocr");
  EXPECT_THAT(model->versions, ElementsAre(Key(2), Key(10)));
  EXPECT_EQ(model->versions.at(2).directory, dir / "ocr/0002");
  EXPECT_EQ(model->versions.at(2).version, 2);
  EXPECT_EQ(model->config.engine, "auto");
}

TEST(ReadModel, AVersionBeingWrittenIsNotThereYet) {
  TestDir dir;
  dir.MakeDir("ocr/1");
  dir.Write("ocr/2/.incomplete");
  EXPECT_THAT(ReadModel(dir.path(), "ocr")->versions, ElementsAre(Key(1)));
  std::filesystem::remove(dir / "ocr/2/.incomplete");
  EXPECT_THAT(ReadModel(dir.path(), "ocr")->versions, ElementsAre(Key(1), Key(2)));
}

TEST(ReadModel, ReadsModelYaml) {
  TestDir dir;
  dir.MakeDir("ocr/1");
  dir.Write("ocr/model.yaml", "engine: openvino\nlabels: {stable: 1}\n");
  auto model = ReadModel(dir.path(), "ocr");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->config.engine, "openvino");
  dir.Write("ocr/model.yaml", "engin: openvino\n");
  EXPECT_THAT(ReadModel(dir.path(), "ocr").status().text(),
              HasSubstr("ocr/model.yaml:1: unknown key \"engin\""));
}

TEST(ReadModel, SaysWhatIsMissing) {
  TestDir dir;
  dir.Write("bare/model.onnx");
  dir.MakeDir("empty");
  dir.MakeDir("twice/1");
  dir.MakeDir("twice/001");
  dir.MakeDir("zero/0");
  dir.MakeDir("yml/1");
  dir.Write("yml/model.yml", "engine: echo");
  dir.MakeDir("dir/1");
  dir.MakeDir("dir/model.yaml");
  auto status = [&](const char* name) { return ReadModel(dir.path(), name).status(); };
  EXPECT_EQ(status("nowhere").code(), Code::kNotFound);
  EXPECT_EQ(status("bare").code(), Code::kNotFound);
  EXPECT_THAT(status("bare").text(),
              HasSubstr("holds no version: expected a directory named by a positive integer"));
  EXPECT_THAT(status("bare").text(), HasSubstr("found model.onnx"));
  EXPECT_THAT(status("empty").text(), HasSubstr("found nothing"));
  EXPECT_THAT(status("twice").text(), HasSubstr("are both version 1: remove one"));
  EXPECT_THAT(status("zero").text(), HasSubstr("expected a whole number from 1"));
  EXPECT_THAT(status("yml").text(), HasSubstr("rename it to model.yaml"));
  EXPECT_THAT(status("dir").text(), HasSubstr("is not a file"));
}

TEST(ReadModel, LetsNoPathEscape) {
  TestDir outside;
  outside.MakeDir("store/3");
  outside.Write("secret", "password: hunter2");
  TestDir dir;
  for (const char* name : {"../x", "..", "a/../b", "/etc"}) {
    EXPECT_EQ(ReadModel(dir.path(), name).status().code(), Code::kInvalidArgument) << name;
  }
  dir.MakeDir("linked");
  dir.Link(outside / "store/3", "linked/3");
  ASSERT_TRUE(ReadModel(dir.path(), "linked").ok());
  EXPECT_EQ(ReadModel(dir.path(), "linked")->versions.at(3).directory, dir / "linked/3");

  dir.Link(outside / "store", "model-link");
  EXPECT_EQ(ReadModel(dir.path(), "model-link").status().code(), Code::kPermissionDenied);

  dir.MakeDir("yaml-link/1");
  dir.Link(outside / "secret", "yaml-link/model.yaml");
  EXPECT_EQ(ReadModel(dir.path(), "yaml-link").status().code(), Code::kPermissionDenied);
  EXPECT_THAT(ReadModel(dir.path(), "yaml-link").status().text(), Not(HasSubstr("hunter2")));

  // A link that stays inside, as Kubernetes mounts ConfigMaps.
  dir.MakeDir("mounted/1");
  dir.Write("mounted/..data/model.yaml", "engine: echo");
  dir.Link("..data/model.yaml", "mounted/model.yaml");
  EXPECT_TRUE(ReadModel(dir.path(), "mounted").ok());
}

TEST(ReadModel, DanglingVersionLinkIsNoVersion) {
  TestDir dir;
  dir.MakeDir("ocr/1");
  dir.Link(dir / "gone", "ocr/2");
  auto model = ReadModel(dir.path(), "ocr");
  ASSERT_TRUE(model.ok());
  EXPECT_THAT(model->versions, ElementsAre(Key(1)));
}

TEST(Scan, OneBrokenModelDoesNotHideTheOthers) {
  TestDir dir;
  dir.MakeDir("b/1");
  dir.MakeDir("a/2");
  dir.MakeDir("broken");
  dir.MakeDir("bad name/1");
  dir.MakeDir(".hidden/1");
  dir.Write("README.md");
  auto scan = Scan(dir.path());
  ASSERT_TRUE(scan.ok()) << scan.status().ToString();
  ASSERT_EQ(scan->models.size(), 2u);
  EXPECT_EQ(scan->models[0].name, "a");
  EXPECT_EQ(scan->models[1].name, "b");
  EXPECT_THAT(scan->broken, ElementsAre(Key("bad name"), Key("broken")));
  EXPECT_EQ(Scan(dir / "nowhere").status().code(), Code::kNotFound);
  EXPECT_FALSE(Scan(dir / "README.md").ok());
}

TEST(Scan, GivesAbsolutePathsForARelativeRoot) {
  TestDir dir;
  dir.MakeDir("models/a/1");
  auto relative = std::filesystem::relative(dir / "models").string();
  auto scan = Scan(relative);
  ASSERT_TRUE(scan.ok()) << scan.status().ToString();
  EXPECT_EQ(scan->models.at(0).versions.at(1).directory, dir / "models/a/1");
}

class Resolving : public testing::Test {
 protected:
  Resolving() {
    model_.name = "ocr";
    for (int64_t v : {1, 2, 5}) model_.versions[v] = {v, "/x"};
    model_.config.labels = {{"stable", 2}, {"lost", 9}};
  }
  ModelEntry model_;
};

TEST_F(Resolving, NumbersLabelsAndNothing) {
  EXPECT_EQ(*ResolveVersion(model_, ""), 5);
  EXPECT_EQ(*ResolveVersion(model_, "1"), 1);
  EXPECT_EQ(*ResolveVersion(model_, "002"), 2);
  EXPECT_EQ(*ResolveVersion(model_, "stable"), 2);
  model_.config.labels["default"] = 1;
  EXPECT_EQ(*ResolveVersion(model_, ""), 1);
}

TEST_F(Resolving, NotFoundNamesWhatThereIs) {
  for (const char* wanted : {"3", "0", "canary", "-1", "99999999999999999999"}) {
    auto version = ResolveVersion(model_, wanted);
    EXPECT_EQ(version.status().code(), Code::kNotFound) << wanted;
    EXPECT_THAT(version.status().text(), HasSubstr("versions: 1, 2, 5; labels: lost, stable"));
  }
  EXPECT_THAT(ResolveVersion(model_, "lost").status().text(),
              HasSubstr("label \"lost\" stands for version 9, which is not there"));
  EXPECT_EQ(ResolveVersion(ModelEntry{}, "").status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace snug::repository
